//! The names that SPIRE has for the methods of gRPC, in metrics and in the audit log.

#[cfg(test)]
mod tests;

/// The service and the method of a request's path, as SPIRE's logs have them: `agent.v1.Agent`, `AttestAgent`.
pub fn service_and_method(path: &str) -> (&str, &str) {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let service = match service {
        "SpiffeWorkloadAPI" => "WorkloadAPI",
        "envoy.service.secret.v3.SecretDiscoveryService" => "SDS.v3",
        service => SHORTENED.iter().find_map(|prefix| service.strip_prefix(prefix)).unwrap_or(service),
    };
    (service, method)
}

/// The key of a method's metric: `rpc.agent.v1.agent.attest_agent`.
pub fn metric_key(path: &str) -> String {
    let (service, method) = service_and_method(path);
    let parts = service.split('.').chain([method]).map(snake);
    format!("rpc.{}", parts.collect::<Vec<_>>().join("."))
}

/// What SPIRE leaves out.
const SHORTENED: [&str; 3] = ["spire.api.server.", "spire.api.agent.", "spire.agent."];

/// `BatchNewX509SVID` as `batch_new_x509svid`: a word begins at a capital after a small letter, and at one before a small
/// letter.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_small = index > 0 && letters[index - 1].is_ascii_lowercase();
        let before_small = letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if index > 0 && letter.is_ascii_uppercase() && (after_small || before_small) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

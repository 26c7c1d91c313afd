//! Two Envoys between a caller and a service that know nothing of identities, as a tutorial configures them.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use finial_testkit::{Dev, run, until};

use super::{Envoy, example, get, program, serves};
use crate::peers;
use crate::proxy::Backend;

const TRUST_DOMAIN: &str = "spiffe-demo.internal";
const HTTPBACKEND: &str = "spiffe://spiffe-demo.internal/ns/spiffe-customer/sa/spiffe-demo-httpbackend";
const CUSTOMER: &str = "spiffe://spiffe-demo.internal/ns/spiffe-demo/sa/spiffe-demo-customer";

/// Makes the Envoy shake hands for each request.
const ONE_REQUEST_EACH: &str = r#"    - name: httpbackend
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          common_http_protocol_options: { max_requests_per_connection: 1 }
          explicit_http_config: { http_protocol_options: {} }
"#;

/// A trust domain, a service, and the Envoy before it.
struct Service {
    dev: Dev,
    backend: Backend,
}

impl Service {
    fn found() -> Option<Self> {
        program()?;
        let dev = Dev::serving(TRUST_DOMAIN);
        dev.identity(HTTPBACKEND);
        dev.identity(CUSTOMER);
        Some(Self { dev, backend: Backend::start() })
    }

    /// The Envoy before the service.
    fn inbound(&self, configuration: &str) -> Envoy {
        self.envoy(configuration, self.backend.port()).live()
    }

    /// The Envoy before the caller.
    fn outbound(&self, configuration: &str, inbound: &Envoy) -> Envoy {
        self.envoy(configuration, inbound.port).live()
    }

    fn envoy(&self, configuration: &str, target: u16) -> Envoy {
        Envoy::start(self.dev.folder(), &self.dev.agent_socket(), configuration, target)
    }
}

fn inbound() -> String {
    example("inbound.yaml")
}

fn outbound() -> String {
    example("outbound.yaml")
        .replace("    - name: httpbackend\n      connect", &format!("{ONE_REQUEST_EACH}      connect"))
}

fn delta(configuration: &str) -> String {
    configuration.replace("api_type: GRPC", "api_type: DELTA_GRPC")
}

/// Whether a request through the Envoy reaches the service.
fn succeeds(envoy: &Envoy) -> bool {
    get(envoy.port, "/").is_some_and(|answer| answer.contains(Backend::GREETING))
}

/// Whether the Envoy says that it cannot reach the service.
fn fails(envoy: &Envoy) -> bool {
    get(envoy.port, "/").is_some_and(|answer| answer.starts_with("HTTP/1.1 503"))
}

#[test]
fn envoys_of_the_tutorial_know_each_other() {
    let Some(service) = Service::found() else { return };
    let inbound = service.inbound(&inbound());
    let outbound = service.outbound(&outbound(), &inbound);
    assert!(succeeds(&outbound), "{}", outbound.process.log());
    inbound.assert_content();
    outbound.assert_content();
}

#[test]
fn envoys_know_each_other_by_delta() {
    let Some(service) = Service::found() else { return };
    let inbound = service.inbound(&delta(&inbound()));
    let outbound = service.outbound(&delta(&outbound()), &inbound);
    assert!(succeeds(&outbound), "{}", outbound.process.log());
    inbound.assert_content();
    outbound.assert_content();
}

#[test]
fn envoy_refuses_a_service_of_another_id() {
    let Some(service) = Service::found() else { return };
    let inbound = service.inbound(&inbound());
    let exact = format!("exact: \"{HTTPBACKEND}\"");
    let wants_another = outbound().replace(&exact, &format!("exact: \"{CUSTOMER}\""));
    assert!(fails(&service.outbound(&wants_another, &inbound)));
    assert!(succeeds(&service.outbound(&outbound(), &inbound)));
}

#[test]
fn envoy_refuses_a_caller_of_another_id_and_one_without() {
    let (Some(service), Some(curl)) = (Service::found(), peers::program("curl")) else { return };
    let inbound = service.inbound(&inbound());
    let name = format!("name: \"{CUSTOMER}\"");
    let is_another = outbound().replace(&name, &format!("name: \"{HTTPBACKEND}\""));
    assert!(fails(&service.outbound(&is_another, &inbound)));
    let url = format!("https://127.0.0.1:{}/", inbound.port);
    let answer = run(Command::new(curl).args(["--silent", "--insecure", "--max-time", "5", &url]));
    assert!(!answer.status.success(), "{}", answer.stdout);
}

#[test]
fn rotation_of_every_certificate_fails_no_request() {
    rotation_fails_no_request(&inbound(), &outbound());
}

#[test]
fn rotation_of_every_certificate_by_delta_fails_no_request() {
    rotation_fails_no_request(&delta(&inbound()), &delta(&outbound()));
}

fn rotation_fails_no_request(inbound: &str, outbound: &str) {
    let Some(service) = Service::found() else { return };
    let inbound = service.inbound(inbound);
    let outbound = service.outbound(outbound, &inbound);
    let envoys = [&inbound, &outbound];
    let counts = || envoys.map(|envoy| envoy.count("update_success"));
    let load = Load::on(outbound.port);
    let mut before = counts();
    service.dev.rotate_ca_slowly(|step| {
        // Each of the two has what the step brought: the bundle, or its certificate.
        until(step, || counts().iter().zip(before).all(|(now, before)| *now > before).then_some(()));
        load.more();
        before = counts();
    });
    until("bundle without the old authority", || {
        counts().iter().zip(before).all(|(now, before)| *now > before).then_some(())
    });
    load.more();
    let (succeeded, failed) = load.stop();
    assert_eq!(failed, 0, "of {succeeded} requests\n{}\n{}", outbound.process.log(), service.dev.log());
    envoys.iter().for_each(|envoy| envoy.assert_content());
}

#[test]
fn certificate_of_a_removed_authority_is_accepted_no_more() {
    let (Some(_), Some(curl)) = (program(), peers::program("curl")) else { return };
    let dev = Dev::serving(TRUST_DOMAIN);
    dev.identity(CUSTOMER);
    let service = Service { dev, backend: Backend::start() };
    let inbound = service.inbound(&inbound().replace(HTTPBACKEND, CUSTOMER));
    let svid = service.dev.write_svid();
    assert!(serves(&curl, &svid, &inbound), "{}", inbound.process.log());
    let before = inbound.count("update_success");
    service.dev.rotate_ca();
    // The next authority came, the certificate of it, and the old authority went.
    until("bundle without the old authority", || {
        (inbound.count("update_success") >= before + 3).then_some(())
    });
    assert!(!serves(&curl, &svid, &inbound), "{}", inbound.process.log());
    let svid = service.dev.write_svid();
    assert!(serves(&curl, &svid, &inbound), "{}", inbound.process.log());
}

#[test]
fn envoy_that_starts_before_its_entry_needs_no_restart() {
    if program().is_none() {
        return;
    }
    let dev = Dev::serving(TRUST_DOMAIN);
    let service = Service { dev, backend: Backend::start() };
    let inbound = service.envoy(&inbound(), service.backend.port());
    until("attempt", || get(inbound.admin, "/stats").filter(|stats| stats.contains("update_attempt: 1")));
    service.dev.identity(HTTPBACKEND);
    service.dev.identity(CUSTOMER);
    let inbound = inbound.live();
    let outbound = service.outbound(&outbound(), &inbound);
    assert!(succeeds(&outbound), "{}", outbound.process.log());
}

/// Requests, one after the other, as fast as they are answered.
struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<std::sync::atomic::AtomicUsize>,
    worker: thread::JoinHandle<(usize, usize)>,
}

impl Load {
    fn on(port: u16) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&answered));
        let worker = thread::spawn(move || {
            let (mut succeeded, mut failed) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                match get(port, "/") {
                    Some(answer) if answer.contains(Backend::GREETING) => succeeded += 1,
                    _ => failed += 1,
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
            (succeeded, failed)
        });
        Self { is_over, answered, worker }
    }

    /// Waits for some more answers.
    fn more(&self) {
        let enough = self.answered.load(Ordering::Relaxed) + 20;
        until("answers", || (self.answered.load(Ordering::Relaxed) >= enough).then_some(()));
    }

    /// How many requests succeeded, and how many failed.
    fn stop(self) -> (usize, usize) {
        self.is_over.store(true, Ordering::Relaxed);
        self.worker.join().expect("the load")
    }
}

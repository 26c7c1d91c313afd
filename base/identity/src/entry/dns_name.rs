//! The DNS names an entry may carry into a certificate.

use super::EntryError;

/// Accepts ASCII host names, one leading `*` label allowed. International names come in their `xn--` form.
pub(crate) fn check(name: &str) -> Result<(), EntryError> {
    match problem(name) {
        None => Ok(()),
        Some(problem) => Err(EntryError::DnsName { name: name.to_owned(), problem }),
    }
}

fn problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if !name.is_ascii() {
        return Some("is not ASCII; write it in its xn-- form");
    }
    if name.len() > 253 {
        return Some("is longer than 253 bytes");
    }
    let host = name.strip_prefix("*.").unwrap_or(name);
    host.split('.').find_map(label_problem)
}

fn label_problem(label: &str) -> Option<&'static str> {
    if label.is_empty() {
        return Some("has an empty label");
    }
    if label.len() > 63 {
        return Some("has a label longer than 63 bytes");
    }
    if label.contains('*') {
        return Some("has a wildcard that is not its whole first label");
    }
    if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Some("has a character other than letters, digits and dash");
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Some("has a label that begins or ends with a dash");
    }
    if label.len() > 3 && &label[2..4] == "--" && !label[..2].eq_ignore_ascii_case("xn") {
        return Some("has a label with dashes in the third and fourth place that is not an xn-- label");
    }
    None
}

//! What is heard of a refusal.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_wire::SecretDeltaRequest;

use super::{Delta, Dialect, Due, Interest};

/// What is to be logged when an Envoy refuses the answer with this nonce.
fn refuse(delta: &mut Delta, nonce: &str) -> Option<String> {
    let rejection = Some("no PEM".to_owned());
    let request = SecretDeltaRequest { nonce: nonce.to_owned(), rejection, ..SecretDeltaRequest::default() };
    delta.take(request, &mut Interest::default()).unwrap()
}

#[test]
fn each_refusal_is_told_once() {
    let mut delta = Delta::default();
    for nonce in ["1", "2"] {
        assert_eq!(delta.answer(Due::default()).version, nonce);
        assert_eq!(refuse(&mut delta, nonce).as_deref(), Some("no PEM"));
        assert_eq!(refuse(&mut delta, nonce), None);
    }
}

#[test]
fn refusal_of_no_answer_is_not_told() {
    let mut delta = Delta::default();
    let _ = delta.answer(Due::default());
    for nonce in ["0", "2", "", "x", "18446744073709551615"] {
        assert_eq!(refuse(&mut delta, nonce), None, "{nonce}");
    }
}

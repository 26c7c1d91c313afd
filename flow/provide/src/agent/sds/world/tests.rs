//! What is heard of a refusal.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_wire::SecretRequest;

use super::{Dialect, Due, Interest, World};

/// What is to be logged when an Envoy refuses the answer with this nonce.
fn refuse(world: &mut World, nonce: &str) -> Option<String> {
    let rejection = Some("no PEM".to_owned());
    let request = SecretRequest { nonce: nonce.to_owned(), rejection, ..SecretRequest::default() };
    world.take(request, &mut Interest::default()).unwrap()
}

#[test]
fn each_refusal_is_told_once() {
    let mut world = World::default();
    for nonce in ["1", "2"] {
        assert_eq!(world.answer(Due::default()).version, nonce);
        assert_eq!(refuse(&mut world, nonce).as_deref(), Some("no PEM"));
        assert_eq!(refuse(&mut world, nonce), None);
    }
}

#[test]
fn refusal_of_an_earlier_answer_or_none_is_not_told() {
    let mut world = World::default();
    let _ = (world.answer(Due::default()), world.answer(Due::default()));
    for nonce in ["1", "3", "", "x"] {
        assert_eq!(refuse(&mut world, nonce), None, "{nonce}");
    }
}

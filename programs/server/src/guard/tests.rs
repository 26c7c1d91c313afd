//! What the guard does to a node whose agent has begun to use its renewed SVID.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use finial_identity::{Node, SelectorSet};

use super::promoted;

fn node() -> Node {
    Node {
        id: "spiffe://example.org/spire/agent/join_token/abc".parse().unwrap(),
        attestation_type: "join_token".to_owned(),
        serial_number: "1".to_owned(),
        expires_at: SystemTime::UNIX_EPOCH,
        new_serial_number: None,
        new_expires_at: None,
        selectors: SelectorSet::default(),
        can_reattest: false,
        agent_version: "1.0.0".to_owned(),
    }
}

#[test]
fn renewed_svid_becomes_the_current_one() {
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
    let renewed = Node { new_serial_number: Some("2".to_owned()), new_expires_at: Some(later), ..node() };
    assert_eq!(promoted(&renewed), Node { serial_number: "2".to_owned(), expires_at: later, ..node() });
}

#[test]
fn node_without_a_renewed_svid_stays_as_it_is() {
    assert_eq!(promoted(&node()), node());
}

//! Which agents are deleted, and which never.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use finial_identity::{Node, SelectorSet, SpiffeId};

use crate::NodePruning;

const DAY: Duration = Duration::from_hours(24);

fn node() -> Node {
    Node {
        id: SpiffeId::parse("spiffe://example.org/spire/agent/x509pop/a").unwrap(),
        attestation_type: "x509pop".to_owned(),
        serial_number: "1".to_owned(),
        expires_at: SystemTime::UNIX_EPOCH,
        new_serial_number: None,
        new_expires_at: None,
        selectors: SelectorSet::default(),
        can_reattest: true,
        agent_version: String::new(),
    }
}

#[test]
fn agents_end_when_they_have_expired_for_long_enough_and_are_not_banned() {
    let rule = NodePruning { expired_for: DAY, batch_size: 1, tofu: false };
    let all = NodePruning { tofu: true, ..rule };
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let renewed = Node { new_expires_at: Some(later), ..node() };
    let once = Node { can_reattest: false, ..node() };
    let banned = Node { serial_number: String::new(), ..node() };
    let table = [
        ("expired for less", rule, node(), DAY, false),
        ("expired for longer", rule, node(), DAY + Duration::from_secs(1), true),
        ("its renewed SVID expired for less", rule, renewed.clone(), DAY + Duration::from_secs(1), false),
        ("its renewed SVID expired for longer", rule, renewed, DAY + Duration::from_secs(2), true),
        ("attested on first use", rule, once.clone(), DAY * 2, false),
        ("attested on first use, which counts", all, once, DAY * 2, true),
        ("banned", all, banned, DAY * 1000, false),
        (
            "never, by a rule without end",
            NodePruning { expired_for: Duration::MAX, ..rule },
            node(),
            DAY,
            false,
        ),
    ];
    for (case, rule, node, since, ends) in table {
        assert_eq!(rule.ends(&node, SystemTime::UNIX_EPOCH + since), ends, "{case}");
    }
}

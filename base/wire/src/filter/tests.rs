//! Filters.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_identity::{Node, SelectorSet, TrustDomain};

use super::{AgentFilter, EntryFilter, FederatesWithMatch, SelectorMatch, SetMatch};
use crate::harness::{agent_id, entry, full_entry, id, node, noon, selector};

fn set(texts: &[&str]) -> SelectorSet {
    texts.iter().map(|text| selector(text)).collect()
}

#[test]
fn selectors_are_compared_as_sets() {
    let candidate = set(&["a:1", "b:2"]);
    let cases: [(SetMatch, &[&str], bool); 10] = [
        (SetMatch::Exact, &["b:2", "a:1"], true),
        (SetMatch::Exact, &["a:1"], false),
        (SetMatch::Subset, &["a:1", "b:2", "c:3"], true),
        (SetMatch::Subset, &["a:1", "b:2"], true),
        (SetMatch::Subset, &["a:1"], false),
        (SetMatch::Superset, &["a:1"], true),
        (SetMatch::Superset, &["a:1", "b:2"], true),
        (SetMatch::Superset, &["a:1", "c:3"], false),
        (SetMatch::Any, &["c:3", "b:2"], true),
        (SetMatch::Any, &["c:3"], false),
    ];
    for (rule, given, wanted) in cases {
        let given = SelectorMatch { selectors: set(given), rule };
        assert_eq!(given.matches(&candidate), wanted, "{given:?}");
    }
}

#[test]
fn entry_filter_meets_all_that_is_given() {
    let (plain, full) = (entry(1), full_entry());
    let federates = |name: &str| FederatesWithMatch {
        trust_domains: [TrustDomain::parse(name).unwrap()].into(),
        rule: SetMatch::Exact,
    };
    let selectors = SelectorMatch { selectors: set(&["unix:uid:1000"]), rule: SetMatch::Superset };
    for filter in [
        EntryFilter { spiffe_id: Some(id("/db")), ..EntryFilter::default() },
        EntryFilter { selectors: Some(selectors), ..EntryFilter::default() },
        EntryFilter { federates_with: Some(federates("other.test")), ..EntryFilter::default() },
        EntryFilter { hint: Some("internal".to_owned()), ..EntryFilter::default() },
        EntryFilter { downstream: Some(true), ..EntryFilter::default() },
        EntryFilter { parent_id: Some(agent_id("one")), downstream: Some(true), ..EntryFilter::default() },
    ] {
        assert!(filter.matches(&full), "{filter:?}");
        assert!(!filter.matches(&plain), "{filter:?}");
    }
    assert!(EntryFilter::default().matches(&plain));
    let empty_hint = EntryFilter { hint: Some(String::new()), ..EntryFilter::default() };
    assert!(empty_hint.matches(&plain) && !empty_hint.matches(&full));
}

#[test]
fn agent_filter_meets_all_that_is_given() {
    let good = node("one");
    let other = Node {
        attestation_type: "x509pop".to_owned(),
        serial_number: String::new(),
        expires_at: noon() + Duration::from_secs(1),
        selectors: SelectorSet::default(),
        can_reattest: false,
        ..node("two")
    };
    let selectors = SelectorMatch { selectors: set(&["join_token:one"]), rule: SetMatch::Exact };
    for filter in [
        AgentFilter { attestation_type: Some("join_token".to_owned()), ..AgentFilter::default() },
        AgentFilter { selectors: Some(selectors), ..AgentFilter::default() },
        AgentFilter { banned: Some(false), ..AgentFilter::default() },
        AgentFilter { can_reattest: Some(true), ..AgentFilter::default() },
        AgentFilter { expires_before: Some(noon() + Duration::from_secs(1)), ..AgentFilter::default() },
    ] {
        assert!(filter.matches(&good), "{filter:?}");
        assert!(!filter.matches(&other), "{filter:?}");
    }
}

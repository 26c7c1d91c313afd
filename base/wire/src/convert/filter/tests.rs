//! Matches.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::TrustDomain;

use super::{federates_with_match, selector_match, to_federates_with_match, to_selector_match};
use crate::harness::selector;
use crate::proto::types;
use crate::{FederatesWithMatch, SelectorMatch, SetMatch};

const RULES: [SetMatch; 4] = [SetMatch::Exact, SetMatch::Subset, SetMatch::Superset, SetMatch::Any];

#[test]
fn matches_survive_the_wire() {
    for (number, rule) in (0..).zip(RULES) {
        let given = SelectorMatch { selectors: [selector("unix:uid:1")].into_iter().collect(), rule };
        let sent = to_selector_match(&given);
        assert_eq!(sent.r#match, number);
        assert_eq!(selector_match(sent).unwrap(), given);

        let trust_domains = [TrustDomain::parse("other.test").unwrap()].into();
        let given = FederatesWithMatch { trust_domains, rule };
        let sent = to_federates_with_match(&given);
        assert_eq!(sent.r#match, number);
        assert_eq!(federates_with_match(&sent).unwrap(), given);
    }
}

#[test]
fn empty_matches_are_refused() {
    let error = selector_match(types::SelectorMatch::default()).unwrap_err();
    assert_eq!(error.to_string(), "missing selectors to match with");
    let error = federates_with_match(&types::FederatesWithMatch::default()).unwrap_err();
    assert_eq!(error.to_string(), "missing trust domains to match with");
}

#[test]
fn unknown_rules_are_refused() {
    let given = types::SelectorMatch { r#match: 4, ..Default::default() };
    assert_eq!(selector_match(given).unwrap_err().to_string(), "unknown match behavior: 4");
    let given = types::FederatesWithMatch { r#match: -1, ..Default::default() };
    assert_eq!(federates_with_match(&given).unwrap_err().to_string(), "unknown match behavior: -1");
}

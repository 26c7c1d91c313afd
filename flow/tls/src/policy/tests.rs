//! Who is permitted, and that nobody is by default.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::{SpiffeId, TrustDomain};

use super::Policy;
use crate::UriPatterns;

fn id(text: &str) -> SpiffeId {
    SpiffeId::parse(text).unwrap()
}

fn domain(name: &str) -> TrustDomain {
    TrustDomain::parse(name).unwrap()
}

#[test]
fn a_policy_that_lists_nothing_permits_nobody() {
    let anybody = id("spiffe://example.org/a");
    assert!(!Policy::ids([]).permits(&anybody));
    assert!(!Policy::any_in([]).permits(&anybody));
    assert!(!Policy::uri_patterns(UriPatterns::parse([""; 0]).unwrap()).permits(&anybody));
}

#[test]
fn listed_ids_are_permitted_and_no_others() {
    let policy = Policy::ids([id("spiffe://example.org/a"), id("spiffe://example.org/b")]);
    assert!(policy.permits(&id("spiffe://example.org/b")));
    for other in ["spiffe://example.org/a/b", "spiffe://example.org/A", "spiffe://other.org/a"] {
        assert!(!policy.permits(&id(other)), "{other}");
    }
}

#[test]
fn a_trust_domain_is_compared_whole_and_not_by_prefix() {
    let policy = Policy::members_of(domain("example.org"));
    assert!(policy.permits(&id("spiffe://example.org/a")));
    assert!(!policy.permits(&id("spiffe://example.org.evil/a")));
    let both = Policy::any_in([domain("a.test"), domain("b.test")]);
    assert!(both.permits(&id("spiffe://b.test/x")) && !both.permits(&id("spiffe://c.test/x")));
}

#[test]
fn either_of_two_policies_may_permit() {
    let policy = Policy::members_of(domain("a.test")).or(&Policy::ids([id("spiffe://b.test/x")]));
    assert!(policy.permits(&id("spiffe://a.test/any")));
    assert!(policy.permits(&id("spiffe://b.test/x")));
    assert!(!policy.permits(&id("spiffe://b.test/y")));
}

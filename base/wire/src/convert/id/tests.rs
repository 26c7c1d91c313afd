//! IDs and selectors.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error;

use super::{optional_spiffe_id, selectors, spiffe_id, to_selectors, to_spiffe_id, trust_domain};
use crate::harness::{agent_id, full_entry, id};
use crate::proto::types;

fn parts(trust_domain: &str, path: &str) -> Option<types::Spiffeid> {
    Some(types::Spiffeid { trust_domain: trust_domain.to_owned(), path: path.to_owned() })
}

#[test]
fn ids_survive_the_wire() {
    for id in [id("/db"), agent_id("one"), id("")] {
        assert_eq!(spiffe_id("id", Some(to_spiffe_id(&id))).unwrap(), id);
    }
    assert_eq!(optional_spiffe_id("id", None).unwrap(), None);
}

#[test]
fn malformed_ids_are_refused() {
    assert_eq!(spiffe_id("parent_id", None).unwrap_err().to_string(), "missing parent_id");
    for (name, path) in [
        ("", "/db"),
        ("Example.org", "/db"),
        ("example.org:80", "/db"),
        ("spiffe://example.org", "/db"),
        ("example.org", "db"),
        ("example.org", "/"),
        ("example.org", "/a//b"),
        ("example.org", "/../b"),
        ("example.org", "/a?b"),
        ("example.org", "/a%20b"),
    ] {
        let error = spiffe_id("parent_id", parts(name, path)).expect_err(path);
        assert_eq!(error.to_string(), "parent_id is no spiffe id");
        assert!(error.source().is_some());
    }
}

#[test]
fn trust_domain_is_a_name_or_an_id() {
    assert_eq!(
        trust_domain("td", "example.org").unwrap(),
        trust_domain("td", "spiffe://example.org").unwrap()
    );
    assert!(trust_domain("td", "").is_err());
    assert!(trust_domain("td", "example.org/path").is_err());
}

#[test]
fn selectors_survive_the_wire() {
    let given = full_entry().selectors.clone();
    assert_eq!(selectors(to_selectors(&given)).unwrap(), given);
}

#[test]
fn malformed_selectors_are_refused_without_their_value() {
    for (kind, value) in [("", "SECRET"), ("unix", ""), ("a:b", "SECRET")] {
        let given = vec![types::Selector { r#type: kind.to_owned(), value: value.to_owned() }];
        let error = selectors(given).expect_err(kind).refusal();
        assert!(error.message().contains("selector"), "{error}");
        assert!(!error.message().contains("SECRET"), "{error}");
    }
}

#[test]
fn too_many_selectors_are_refused_by_the_limit() {
    let one = types::Selector { r#type: "unix".to_owned(), value: "uid:1".to_owned() };
    assert!(selectors(vec![one.clone(); 256]).is_ok());
    let error = selectors(vec![one; 257]).unwrap_err().to_string();
    assert_eq!(error, "257 selectors sent; at most 256 are allowed, send fewer at a time");
}

#[test]
fn a_selector_that_is_too_long_is_refused_by_the_limit() {
    let of = |bytes: usize| types::Selector { r#type: "unix".to_owned(), value: "x".repeat(bytes - 5) };
    assert!(selectors(vec![of(4096)]).is_ok());
    let error = selectors(vec![of(4097)]).unwrap_err().to_string();
    assert_eq!(error, "selector of 4097 bytes sent; at most 4096 are allowed");
}

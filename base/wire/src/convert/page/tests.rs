//! Page tokens.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::EntryId;
use tonic::Code;

use super::{agents, entries, next_token};
use crate::harness::{agent_id, entry, node};
use crate::{Page, Paged};

#[test]
fn size_zero_is_everything() {
    assert_eq!(entries(0, "").unwrap(), Page::everything());
}

#[test]
fn token_leads_to_what_comes_after() {
    let token = next_token(&Paged { items: vec![entry(1), entry(2)], more: true }, |entry| entry.id.as_str());
    let after = Some(EntryId::new("entry-00002").unwrap());
    assert_eq!(entries(10, &token).unwrap(), Page { size: Some(10), after });
    let token = next_token(&Paged { items: vec![node("a")], more: true }, |node| node.id.as_str());
    assert_eq!(agents(10, &token).unwrap().after, Some(agent_id("a")));
}

#[test]
fn last_page_has_no_token() {
    assert_eq!(next_token(&Paged { items: vec![entry(1)], more: false }, |entry| entry.id.as_str()), "");
}

#[test]
fn bad_pages_are_refused() {
    for (size, token) in [(-1, ""), (1, "not base64!"), (1, "//8"), (1, "_w"), (1, "YSBi")] {
        let error = entries(size, token).expect_err(token);
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    }
    assert!(agents(1, "ZW50cnk").unwrap_err().message().contains("ZW50cnk"));
}

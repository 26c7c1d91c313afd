//! What is fresh, and when it no longer is.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::{Fresh, LIMIT};
use crate::battery::samples::{draft, entry, entry_id};

#[test]
fn created_entries_are_given_out_once() {
    let fresh = Fresh::default();
    fresh.note([Some(vec![entry("a", draft("/a"))]), Some(vec![entry("b", draft("/b"))])]);
    let (found, rest) = fresh.take(&["b", "c"].map(entry_id));
    assert_eq!(found, [entry("b", draft("/b"))]);
    assert_eq!(rest, [entry_id("c")]);
    assert_eq!(fresh.take(&[entry_id("b")]).1, [entry_id("b")]);
}

#[test]
fn any_other_write_makes_them_forgotten() {
    let fresh = Fresh::default();
    fresh.note([Some(vec![entry("a", draft("/a"))])]);
    fresh.note([Some(vec![entry("b", draft("/b"))]), None]);
    assert!(fresh.take(&["a", "b"].map(entry_id)).0.is_empty());
}

#[test]
fn they_are_as_the_file_has_them() {
    let fresh = Fresh::default();
    let mut later = entry("later", draft("/later"));
    later.created_at += Duration::from_millis(700);
    let mut ending = draft("/ending");
    ending.expires_at = Some(later.created_at);
    fresh.note([Some(vec![later, entry("ending", ending)])]);
    let (found, rest) = fresh.take(&["later", "ending"].map(entry_id));
    assert_eq!(found, [entry("later", draft("/later"))]);
    assert_eq!(rest, [entry_id("ending")], "its fraction of a second is not in the file");
}

#[test]
fn there_are_never_more_than_the_limit() {
    let fresh = Fresh::default();
    let many = (0..LIMIT + 10).map(|n| entry(&n.to_string(), draft(&format!("/{n}"))));
    fresh.note([Some(many.collect())]);
    assert_eq!(fresh.lock().len(), LIMIT);
}

//! Selectors: good ones, bad ones, and sets.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Selector, SelectorError, SelectorSet};

fn set(texts: &[&str]) -> SelectorSet {
    texts.iter().map(|text| Selector::parse(text).unwrap()).collect()
}

#[test]
fn good_selectors_are_read_and_written_alike() {
    for (text, kind, value) in [
        ("unix:uid:1000", "unix", "uid:1000"),
        ("a:b", "a", "b"),
        ("k8s:pod-label:a:b", "k8s", "pod-label:a:b"),
        ("a::", "a", ":"),
        ("a: b", "a", " b"),
    ] {
        let selector = Selector::parse(text).unwrap();
        assert_eq!((selector.kind(), selector.value()), (kind, value));
        assert_eq!(selector.to_string(), text);
    }
}

#[test]
fn bad_selectors_are_refused_by_name() {
    let refused = |text| Selector::parse(text).unwrap_err();
    assert_eq!(refused("uid"), SelectorError::NoType("uid".into()));
    assert_eq!(refused(""), SelectorError::NoType(String::new()));
    assert_eq!(refused(":uid"), SelectorError::NoType("uid".into()));
    assert_eq!(refused("unix:"), SelectorError::NoValue("unix".into()));
    assert_eq!(Selector::new("a:b", "c"), Err(SelectorError::ColonInType("a:b".into())));
    assert_eq!(
        refused("uid").to_string(),
        "selector has no type: `uid`; write type:value, such as unix:uid:1000"
    );
}

#[test]
fn spire_1_14_3_debug_shows_the_type_only() {
    assert_eq!(format!("{:?}", set(&["unix:path:/secret"])), "SelectorSet([Selector(unix:…)])");
}

#[test]
fn set_is_sorted_and_has_no_duplicates() {
    let texts: Vec<String> = set(&["b:2", "a:9", "b:1", "a:9"]).iter().map(Selector::to_string).collect();
    assert_eq!(texts, ["a:9", "b:1", "b:2"]);
}

#[test]
fn order_is_by_type_before_value() {
    let texts: Vec<String> = set(&["a-b:1", "a:1", "a:0", "a1:1"]).iter().map(Selector::to_string).collect();
    assert_eq!(texts, ["a:0", "a:1", "a-b:1", "a1:1"]);
}

#[test]
fn extended_set_is_sorted_and_has_no_duplicates() {
    let mut all = set(&["b:1", "d:1"]);
    all.extend(set(&["d:1", "c:1", "a:1"]));
    assert_eq!(all, set(&["a:1", "b:1", "c:1", "d:1"]));
    assert!(
        all.contains(&Selector::parse("c:1").unwrap()) && !all.contains(&Selector::parse("c:2").unwrap())
    );
}

#[test]
fn subset_means_every_selector_is_in_the_other() {
    let all = set(&["a:1", "a:2", "b:1"]);
    assert!(set(&["a:1", "b:1"]).is_subset_of(&all) && all.is_subset_of(&all) && set(&[]).is_subset_of(&all));
    assert!(!set(&["a:1", "c:1"]).is_subset_of(&all) && !all.is_subset_of(&set(&["a:1"])));
    // A value that begins alike is another value.
    assert!(!set(&["a:1"]).is_subset_of(&set(&["a:11"])));
}

//! Who may come in.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::Crowd;

#[test]
fn an_identity_has_so_many_connections_and_others_have_theirs() {
    let crowd = Crowd::default();
    let [one, other] = ["/one", "/other"].map(|path| format!("spiffe://example.org{path}").parse().unwrap());
    let first = crowd.join(&one, 2).unwrap();
    let _second = crowd.join(&one, 2).unwrap();
    assert!(crowd.join(&one, 2).is_none());
    assert!(crowd.join(&other, 2).is_some());
    drop(first);
    assert!(crowd.join(&one, 2).is_some());
}

#[test]
fn who_has_left_leaves_nothing_behind() {
    let crowd = Crowd::default();
    let id = "spiffe://example.org/one".parse().unwrap();
    drop([crowd.join(&id, 2), crowd.join(&id, 2), crowd.join(&id, 2)]);
    assert!(crowd.counts().is_empty());
}

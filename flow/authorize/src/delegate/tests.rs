//! Tests of who may ask in the name of others, and for which entries.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::EntryDraft;

use super::*;
use crate::testing::{agent, draft, entry, id, process, selectors};

fn plain(name: &str, path: &str, texts: &[&str]) -> Arc<Entry> {
    Arc::new(entry(name, draft(path, &agent("a"), texts)))
}

/// An entry for uid 2 of which something is told besides.
fn special(name: &str, change: impl FnOnce(&mut EntryDraft)) -> Arc<Entry> {
    let mut draft = draft(&format!("/{name}"), &agent("a"), &["unix:uid:2"]);
    change(&mut draft);
    Arc::new(entry(name, draft))
}

fn configured() -> Delegates {
    [id("/delegate")].into_iter().collect()
}

#[tokio::test]
async fn holder_of_a_configured_identity_is_a_delegate() {
    let entries = [plain("a", "/other", &["unix:uid:1"]), plain("b", "/delegate", &["unix:uid:1"])];
    let delegation = configured().authorize(&process(&["unix:uid:1"]).await, entries).unwrap();
    assert_eq!(*delegation.delegate(), id("/delegate"));
}

#[tokio::test]
async fn holder_of_other_identities_is_none() {
    let entries = [plain("a", "/other", &["unix:uid:1"]), plain("b", "/delegate", &["unix:uid:2"])];
    let denial = configured().authorize(&process(&["unix:uid:1"]).await, entries).unwrap_err();
    assert_eq!(denial, Denial::NotADelegate);
    assert_eq!(denial.to_string(), "caller not configured as an authorized delegate");
}

#[tokio::test]
async fn process_without_identity_is_none() {
    let entries = [plain("b", "/delegate", &["unix:uid:2"])];
    let denial = configured().authorize(&process(&["unix:uid:1"]).await, entries).unwrap_err();
    assert_eq!(denial, Denial::NoIdentity);
}

#[tokio::test]
async fn nobody_is_a_delegate_by_default() {
    let entries = [plain("b", "/delegate", &["unix:uid:1"])];
    let denial = Delegates::default().authorize(&process(&["unix:uid:1"]).await, entries).unwrap_err();
    assert_eq!(denial, Denial::NotADelegate);
}

#[tokio::test]
async fn admin_downstream_and_stored_identities_are_not_lent() {
    let own = plain("own", "/delegate", &["unix:uid:1"]);
    let delegation = configured().authorize(&process(&["unix:uid:1"]).await, [own]).unwrap();
    let entries = [
        special("plain", |_| {}),
        special("admin", |draft| draft.admin = true),
        special("downstream", |draft| draft.downstream = true),
        special("stored", |draft| draft.store_svid = true),
        plain("another", "/another", &["unix:uid:3"]),
        plain("more", "/more", &["unix:uid:2", "unix:gid:2"]),
    ];
    let lent = delegation.entries(&selectors(&["unix:uid:2"]), entries);
    assert_eq!(lent.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["plain"]);
}

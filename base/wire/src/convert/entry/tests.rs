//! Entries.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use finial_identity::{EntryDraft, EntryId, TrustDomain};
use prost::Message;

use super::{
    EVERYTHING, LastId, Revision, encode_revisions, encoded_draft, encoded_revision, entry, id, list_filter,
    proto, to_draft, to_entry, to_list_filter, to_update, update,
};
use crate::harness::{agent_id, entry as nth, full_entry, id as spiffe_id, noon, selector};
use crate::proto::types;
use crate::{AdditionalAttributes, EntryFilter, EntryUpdate, FederatesWithMatch, SelectorMatch, SetMatch};

fn sent() -> types::Entry {
    to_entry(&full_entry(), None)
}

#[test]
fn entries_survive_the_wire() {
    for given in [nth(1), full_entry()] {
        assert_eq!(entry(&to_entry(&given, None)).unwrap(), given);
    }
}

#[test]
fn drafts_survive_the_wire() {
    let given = full_entry();
    let (none, same) =
        encoded_draft(&to_draft(None, &given).encode_to_vec(), &mut LastId::default()).unwrap();
    assert_eq!((none, &same), (None, &*given));
    let id = EntryId::new("mine").unwrap();
    assert_eq!(
        encoded_draft(&to_draft(Some(&id), &same).encode_to_vec(), &mut LastId::default()).unwrap().0,
        Some(id)
    );
}

#[test]
fn empty_mask_leaves_only_the_id() {
    let masked = to_entry(&full_entry(), Some(types::EntryMask::default()));
    assert_eq!(masked, types::Entry { id: "full".to_owned(), ..Default::default() });
}

#[test]
fn missing_mask_and_full_mask_show_everything() {
    assert_eq!(to_entry(&full_entry(), Some(EVERYTHING)), sent());
    assert!(sent().additional_attributes.is_some() && sent().created_at != 0 && sent().revision_number == 7);
}

#[test]
fn default_attributes_are_not_sent() {
    assert_eq!(to_entry(&nth(1), None).additional_attributes, None);
}

/// One field broken in an otherwise good entry, and what is said of it.
fn broken() -> Vec<(types::Entry, &'static str)> {
    let many = |count: usize| (0..count).map(|n| format!("d{n}.test")).collect::<Vec<_>>();
    let no_value = types::Selector { r#type: "unix".to_owned(), value: String::new() };
    let mut cases = Vec::new();
    let mut case = |problem, break_it: &dyn Fn(&mut types::Entry)| {
        let mut entry = sent();
        break_it(&mut entry);
        cases.push((entry, problem));
    };
    case("entry id is malformed", &|entry| entry.id = "a b".to_owned());
    case("missing entry's spiffe_id", &|entry| entry.spiffe_id = None);
    case("missing entry's parent_id", &|entry| entry.parent_id = None);
    case("entry's spiffe_id is no spiffe id", &|entry| {
        entry.spiffe_id =
            Some(types::Spiffeid { trust_domain: "example.org".to_owned(), path: "x".to_owned() });
    });
    case("missing selector value", &|entry| entry.selectors.push(no_value.clone()));
    case("257 selectors sent; at most 256 are allowed, send fewer at a time", &|entry| {
        entry.selectors = vec![entry.selectors[0].clone(); 257];
    });
    case("x509_svid_ttl must not be negative: -1", &|entry| entry.x509_svid_ttl = -1);
    case("jwt_svid_ttl must not be negative: -2", &|entry| entry.jwt_svid_ttl = -2);
    case("entry's expires_at must not be negative: -3", &|entry| entry.expires_at = -3);
    case("federates_with is no trust domain", &|entry| {
        entry.federates_with = vec!["Not A Domain".to_owned()];
    });
    case(
        "257 trust domains to federate with sent; at most 256 are allowed, send fewer at a time",
        &|entry| {
            entry.federates_with = many(257);
        },
    );
    case("257 dns names sent; at most 256 are allowed, send fewer at a time", &|entry| {
        entry.dns_names = many(257);
    });
    cases
}

#[test]
fn malformed_drafts_are_refused_by_name() {
    for (entry, problem) in broken() {
        assert_eq!(
            encoded_draft(&entry.encode_to_vec(), &mut LastId::default()).expect_err(problem).to_string(),
            problem
        );
    }
}

#[test]
fn malformed_updates_are_refused_by_name() {
    for (entry, problem) in broken() {
        assert_eq!(update(entry, None).expect_err(problem).to_string(), problem);
    }
}

#[test]
fn malformed_entries_of_a_server_are_refused() {
    for (bad, problem) in broken() {
        assert_eq!(entry(&bad).expect_err(problem).to_string(), problem);
    }
    let negative = types::Entry { created_at: -1, ..sent() };
    assert_eq!(entry(&negative).unwrap_err().to_string(), "entry's created_at must not be negative: -1");
    let reserved = types::Entry { spiffe_id: sent().parent_id, ..sent() };
    assert_eq!(entry(&reserved).unwrap_err().to_string(), "entry is refused");
    assert_eq!(id("").unwrap_err().to_string(), "missing entry ID");
}

#[test]
fn update_takes_only_the_fields_of_its_mask() {
    let mask = types::EntryMask { hint: true, expires_at: true, ..Default::default() };
    let entry = types::Entry { spiffe_id: None, x509_svid_ttl: -1, expires_at: 0, ..sent() };
    let (id, update) = update(entry, Some(mask)).unwrap();
    assert_eq!(id.as_str(), "full");
    let expected =
        EntryUpdate { hint: Some("internal".to_owned()), expires_at: Some(None), ..EntryUpdate::default() };
    assert_eq!(update, expected);
}

#[test]
fn update_without_a_mask_replaces_everything() {
    let (_, update) = update(sent(), None).unwrap();
    let mut draft: EntryDraft = (*nth(1)).clone();
    update.apply(&mut draft);
    assert_eq!(draft, *full_entry());
}

#[test]
fn updates_survive_the_wire() {
    let id = EntryId::new("full").unwrap();
    let everything = EntryUpdate {
        spiffe_id: Some(spiffe_id("/web")),
        parent_id: Some(agent_id("two")),
        selectors: Some([selector("unix:uid:7")].into_iter().collect()),
        x509_svid_ttl: Some(None),
        jwt_svid_ttl: Some(Some(Duration::from_secs(7))),
        federates_with: Some(Vec::new()),
        admin: Some(false),
        downstream: Some(true),
        store_svid: Some(false),
        expires_at: Some(Some(noon())),
        dns_names: Some(vec!["a.test".to_owned()]),
        hint: Some(String::new()),
        additional_attributes: Some(AdditionalAttributes {
            x509_svid_prefetch_disabled: false,
            jwt_svid_includes_jti: true,
        }),
    };
    for given in [everything, EntryUpdate::default()] {
        let (entry, mask) = to_update(&id, given.clone());
        assert_eq!(update(entry, Some(mask)).unwrap(), (id.clone(), given));
    }
}

#[test]
fn revision_tells_creation_in_seconds() {
    let mut entry = full_entry();
    entry.created_at = noon() + Duration::from_millis(1);
    let encoded = encode_revisions([Arc::new(entry.clone())].iter()).remove(0);
    let id = entry.id.as_str();
    let revision = proto::EntryRevision { id: id.to_owned(), revision_number: 7, created_at: 1_800_000_000 };
    assert_eq!(proto::EntryRevision::decode(encoded.clone()).unwrap(), revision);
    assert_eq!(encoded, revision.encode_to_vec());
    assert_eq!(encoded_revision(&encoded).unwrap(), Revision { id, number: 7, created_at: 1_800_000_000 });
    assert!(encoded_revision(b"\x0a\x02a").is_err());
}

#[test]
fn a_parent_is_lent_to_the_next_entry_that_has_the_same_and_to_no_other() {
    let mut parent = LastId::default();
    for (name, path) in
        [("a.test", "/x"), ("a.test", "/x"), ("b.test", "/x"), ("b.test", "/y"), ("b.test", "")]
    {
        let id = parent.or_next("id", Some((name, path))).unwrap();
        assert_eq!(id.as_str(), format!("spiffe://{name}{path}"));
    }
    assert!(parent.or_next("id", None).is_err());
    assert!(parent.or_next("id", Some(("b.test", "/"))).is_err());
}

#[test]
fn filters_survive_the_wire() {
    let everything = EntryFilter {
        spiffe_id: Some(spiffe_id("/db")),
        parent_id: Some(agent_id("one")),
        selectors: Some(SelectorMatch {
            selectors: [selector("a:1")].into_iter().collect(),
            rule: SetMatch::Subset,
        }),
        federates_with: Some(FederatesWithMatch {
            trust_domains: [TrustDomain::parse("other.test").unwrap()].into(),
            rule: SetMatch::Any,
        }),
        hint: Some(String::new()),
        downstream: Some(false),
    };
    for filter in [everything, EntryFilter::default()] {
        assert_eq!(list_filter(Some(to_list_filter(filter.clone()))).unwrap(), filter);
    }
    assert_eq!(list_filter(None).unwrap(), EntryFilter::default());
}

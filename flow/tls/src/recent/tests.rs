//! When a chain is verified again.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_identity::Role;
use rustls_pki_types::CertificateDer;

use super::{LIMIT, Recent};
use crate::terms::Lists;

/// Counts verifications by one memory.
struct Check {
    recent: Recent<u8, String>,
    generation: Arc<u8>,
    lists: Lists,
    verified: Cell<usize>,
}

impl Check {
    fn new() -> Self {
        Self { recent: Recent::default(), generation: Arc::new(1), lists: None, verified: Cell::new(0) }
    }

    /// Presents a leaf and one certificate above it; gives how often anything was verified so far.
    fn present(&self, (leaf, above): (&str, &str), at: SystemTime, role: Role) -> usize {
        let chain = [leaf, above].map(|text| CertificateDer::from(text.as_bytes()));
        let proven =
            self.recent.prove((&chain[0], &chain[1..]), (&self.generation, &self.lists), (at, role), || {
                self.verified.set(self.verified.get() + 1);
                Ok::<_, ()>(leaf.to_owned())
            });
        assert_eq!(proven.unwrap(), leaf);
        self.verified.get()
    }

    fn client(&self, chain: (&str, &str), millis: u64) -> usize {
        self.present(chain, instant(millis), Role::Client)
    }
}

fn instant(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + Duration::from_millis(millis)
}

#[test]
fn same_chain_is_verified_once_in_a_second() {
    let check = Check::new();
    assert_eq!(check.client(("leaf", "ca"), 0), 1);
    assert_eq!(check.client(("leaf", "ca"), 999), 1);
}

#[test]
fn next_second_verifies_again_and_so_does_an_earlier_one() {
    let check = Check::new();
    check.client(("leaf", "ca"), 999);
    assert_eq!(check.client(("leaf", "ca"), 1000), 2);
    assert_eq!(check.client(("leaf", "ca"), 0), 3);
}

#[test]
fn another_generation_verifies_again() {
    let mut check = Check::new();
    check.client(("leaf", "ca"), 0);
    check.generation = Arc::new(1);
    assert_eq!(check.client(("leaf", "ca"), 0), 2);
}

#[test]
fn another_reading_of_the_revocation_lists_verifies_again() {
    let mut check = Check::new();
    check.client(("leaf", "ca"), 0);
    for expected in [2, 3] {
        check.lists = Some(Arc::default());
        assert_eq!(check.client(("leaf", "ca"), 0), expected);
        assert_eq!(check.client(("leaf", "ca"), 0), expected);
    }
}

#[test]
fn another_leaf_or_other_signers_or_another_role_are_verified() {
    let check = Check::new();
    check.client(("leaf", "ca"), 0);
    assert_eq!(check.client(("other", "ca"), 0), 2);
    assert_eq!(check.client(("leaf", "other"), 0), 3);
    assert_eq!(check.present(("leaf", "ca"), instant(0), Role::Server), 4);
}

#[test]
fn refusal_is_not_remembered() {
    let check = Check::new();
    let leaf = CertificateDer::from(&b"leaf"[..]);
    let refused =
        check.recent.prove((&leaf, &[]), (&check.generation, &None), (instant(0), Role::Client), || {
            Err::<String, _>(())
        });
    refused.unwrap_err();
    let chain = (&leaf, &[][..]);
    let proven = check.recent.prove(chain, (&check.generation, &None), (instant(0), Role::Client), || {
        Ok::<_, ()>("it".to_owned())
    });
    assert_eq!(proven.unwrap(), "it");
}

#[test]
fn what_is_remembered_is_bounded() {
    let check = Check::new();
    for index in 0..=LIMIT {
        check.client((&index.to_string(), "ca"), 0);
    }
    assert_eq!(check.client(("0", "ca"), 0), LIMIT + 1);
    assert_eq!(check.client((&LIMIT.to_string(), "ca"), 0), LIMIT + 2);
}

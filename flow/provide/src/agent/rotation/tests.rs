//! The plan of renewals.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_identity::{Entry, KeyKind, PrivateKey, X509Credential};

use super::{Moment, Rotation};
use crate::agent::catalog::EntryCatalog;
use crate::agent::testing::{Authority, draft, entry, start_of_time};

const MINUTE: Duration = Duration::from_secs(60);

struct Case {
    authority: Authority,
    rotation: Rotation,
    catalog: EntryCatalog,
}

impl Case {
    fn new(names: &[&str]) -> Self {
        let entries = names.iter().map(|name| Arc::new(entry(name, draft(name, &["t:a"]))));
        Self { authority: Authority::new("one"), rotation: Rotation::new(), catalog: entries.collect() }
    }

    fn entry(&self, name: &str) -> Arc<Entry> {
        Arc::clone(self.catalog.iter().find(|entry| entry.id.as_str() == name).unwrap())
    }

    /// Installs an SVID that was valid for an hour and has `left` of it.
    fn install(&mut self, name: &str, left: Duration) {
        let entry = self.entry(name);
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let ends = start_of_time() + left;
        let svid = self.authority.issue(&entry.spiffe_id, key.public_key(), ends - 60 * MINUTE, ends);
        let credential = X509Credential::new(svid, key, String::new()).unwrap();
        self.rotation.install(&entry, credential, start_of_time());
    }

    fn due(&self, after: Duration) -> Vec<&str> {
        let plan = self.rotation.plan(&self.catalog, moment(after));
        let names = plan.batch.iter().map(|entry| self.catalog.entry(&entry.id).unwrap().id.as_str());
        names.collect()
    }
}

fn moment(after: Duration) -> Moment {
    Moment { wall: start_of_time() + after, monotonic: after }
}

#[test]
fn missing_svids_come_first_then_those_that_expire_soonest() {
    let mut case = Case::new(&["a", "b", "c", "d"]);
    case.install("a", 50 * MINUTE);
    case.install("b", 10 * MINUTE);
    case.install("c", 30 * MINUTE);
    assert_eq!(case.due(40 * MINUTE), ["d", "b", "c", "a"]);
}

#[test]
fn renewal_is_at_half_of_what_was_left_give_or_take_a_tenth() {
    for _ in 0..100 {
        let mut case = Case::new(&["a"]);
        case.install("a", 10 * MINUTE);
        assert!(case.due(MINUTE.mul_f64(4.4)).is_empty());
        assert_eq!(case.due(MINUTE.mul_f64(5.6)), ["a"]);
    }
}

#[test]
fn failed_call_pauses_and_halves_the_batch() {
    let mut case = Case::new(&["a", "b", "c"]);
    case.rotation.batch_size = 3;
    case.rotation.call_failed(Duration::ZERO);
    assert!(case.due(Duration::from_millis(400)).is_empty());
    assert_eq!(case.due(Duration::from_millis(600)).len(), 1);
    case.rotation.call_succeeded();
    assert_eq!(case.due(Duration::ZERO).len(), 2);
}

#[test]
fn batch_never_shrinks_to_nothing() {
    let mut case = Case::new(&["a"]);
    (0..20).for_each(|_| case.rotation.call_failed(Duration::ZERO));
    assert_eq!(case.due(10 * MINUTE), ["a"]);
}

#[test]
fn refused_entry_does_not_hold_up_the_others() {
    let mut case = Case::new(&["a", "b"]);
    let refused = case.entry("a").id.clone();
    case.rotation.refuse(&refused, Duration::ZERO);
    assert_eq!(case.due(Duration::ZERO), ["b"]);
    let plan = case.rotation.plan(&case.catalog, moment(Duration::ZERO));
    assert!(plan.retry_at.is_some_and(|again| again <= Duration::from_millis(550)));
}

#[test]
fn plan_wakes_for_the_renewal_and_not_before() {
    let mut case = Case::new(&["a"]);
    case.install("a", 10 * MINUTE);
    let wake = case.rotation.plan(&case.catalog, moment(Duration::ZERO)).wake_at.unwrap();
    assert!(wake >= start_of_time() + MINUTE.mul_f64(4.4));
    assert!(wake <= start_of_time() + MINUTE.mul_f64(5.6));
}

#[test]
fn clock_that_steps_back_only_delays_the_renewal() {
    let mut case = Case::new(&["a"]);
    case.install("a", 10 * MINUTE);
    let before: SystemTime = start_of_time() - 5 * MINUTE;
    let plan = case.rotation.plan(&case.catalog, Moment { wall: before, monotonic: Duration::ZERO });
    assert!(plan.batch.is_empty());
}

#[test]
fn expired_svids_go_at_their_not_after() {
    let mut case = Case::new(&["a"]);
    case.install("a", 10 * MINUTE);
    assert!(case.rotation.drop_expired(start_of_time() + 10 * MINUTE - Duration::from_secs(1)).is_empty());
    assert_eq!(case.rotation.drop_expired(start_of_time() + 10 * MINUTE).len(), 1);
    assert_eq!(case.rotation.credentials().count(), 0);
}

#[test]
fn entry_made_again_under_its_id_is_issued_again() {
    let mut case = Case::new(&["a"]);
    case.install("a", 10 * MINUTE);
    let mut again = Entry::clone(&case.entry("a"));
    again.created_at += Duration::from_secs(1);
    case.catalog = [Arc::new(again)].into_iter().collect();
    case.rotation.follow(&case.catalog);
    assert_eq!(case.due(Duration::ZERO), ["a"]);
    assert_eq!(case.rotation.credentials().count(), 1, "the old one serves meanwhile");
}

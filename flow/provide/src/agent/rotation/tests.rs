//! The plan of renewals.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod flood;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_identity::{Bundle, Entry, KeyKind, PrivateKey, X509Credential};

use super::{Moment, Rotation};
use crate::agent::catalog::EntryCatalog;
use crate::agent::options::CacheOptions;
use crate::agent::readers::{Readers, Reading};
use crate::agent::testing::{Authority, draft, entry, start_of_time, trust_domain};

const MINUTE: Duration = Duration::from_secs(60);

struct Case {
    authority: Authority,
    rotation: Rotation,
    catalog: EntryCatalog,
    readers: Arc<Readers>,
}

impl Case {
    fn new(names: &[&str]) -> Self {
        Self::limited(names, |_| {})
    }

    fn limited(names: &[&str], limit: impl FnOnce(&mut CacheOptions)) -> Self {
        let mut options = CacheOptions::new(Arc::new(Bundle::empty(trust_domain())));
        limit(&mut options);
        let entries = names.iter().map(|name| Arc::new(entry(name, draft(name, &["t:a"]))));
        let mut case = Self {
            authority: Authority::new("one"),
            rotation: Rotation::new(&options),
            catalog: entries.collect(),
            readers: Arc::default(),
        };
        case.choose();
        case
    }

    fn choose(&mut self) -> bool {
        self.rotation.choose(&self.catalog, &mut self.readers.uses())
    }

    fn read(&self, name: &str) -> Reading {
        self.readers.read([self.entry(name).id.clone()])
    }

    fn held(&self) -> Vec<&str> {
        let mut held: Vec<&str> = self.rotation.credentials().map(|(id, _)| id.as_str()).collect();
        held.sort_unstable();
        held
    }

    fn entry(&self, name: &str) -> Arc<Entry> {
        Arc::clone(self.catalog.iter().find(|entry| entry.id.as_str() == name).unwrap())
    }

    /// Installs an SVID that was valid for an hour and has `left` of it.
    fn install(&mut self, name: &str, left: Duration) {
        self.install_of(name, left, 60 * MINUTE);
    }

    /// Installs an SVID of this life that has `left` of it.
    fn install_of(&mut self, name: &str, left: Duration, life: Duration) {
        let entry = self.entry(name);
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let ends = start_of_time() + left;
        let svid = self.authority.issue(&entry.spiffe_id, key.public_key(), ends - life, ends);
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
    let mut case = Case::new(&["a", "b", "c", "d", "e"]);
    case.install("a", 50 * MINUTE);
    case.install("b", 10 * MINUTE);
    case.install("c", 30 * MINUTE);
    case.install("e", 49 * MINUTE);
    assert_eq!(case.due(40 * MINUTE), ["d", "b", "c"]);
    case.rotation.begin(&["d", "b", "c"].map(|name| case.entry(name)));
    assert_eq!(case.due(40 * MINUTE), ["e", "a"]);
}

#[test]
fn what_has_more_than_twice_the_time_waits_for_the_next_batch() {
    let mut case = Case::new(&["a", "b", "c"]);
    case.install("a", 54 * MINUTE);
    case.install("b", 48 * MINUTE);
    case.install("c", 45 * MINUTE);
    assert_eq!(case.due(40 * MINUTE), ["c", "b"]);
    assert_eq!(case.due(44 * MINUTE), ["c"], "a minute is left, and four of the next");
    assert_eq!(case.due(30 * MINUTE), ["c", "b", "a"]);
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
    let names: Vec<String> = (0..600).map(|number| number.to_string()).collect();
    let mut case = Case::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(case.due(Duration::ZERO).len(), 500);
    case.rotation.call_failed(&[], "no route", None, moment(Duration::ZERO));
    assert!(case.due(Duration::from_millis(400)).is_empty());
    assert_eq!(case.due(Duration::from_millis(600)).len(), 250);
    case.rotation.call_succeeded();
    assert_eq!(case.due(Duration::ZERO).len(), 500);
}

#[test]
fn after_failures_what_is_about_to_expire_is_asked_for_before_what_can_wait() {
    let pause = |left: Duration| {
        let mut case = Case::new(&["a"]);
        case.install("a", left);
        let late = left / 2 + left / 10;
        (0..20).for_each(|_| case.rotation.call_failed(&[], "no route", None, moment(late)));
        case.rotation.plan(&case.catalog, moment(late)).retry_at.unwrap() - late
    };
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    assert_eq!(pause(minute), Duration::from_secs(6), "a quarter of the 24 s that are left");
    assert!(pause(hour) > minute);
}

#[test]
fn nobody_comes_back_before_the_server_has_said_nor_all_at_that_moment() {
    let told = Duration::from_secs(8);
    let pauses: Vec<_> = (0..50)
        .map(|_| {
            let mut case = Case::new(&["a"]);
            case.rotation.call_failed(&[], "too many at once", Some(told), moment(Duration::ZERO));
            case.rotation.plan(&case.catalog, moment(Duration::ZERO)).retry_at.unwrap()
        })
        .collect();
    assert!(pauses.iter().all(|pause| (told..told * 2).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause > told + told / 8), "{pauses:?}");
}

#[test]
fn of_those_who_are_told_when_to_come_back_who_can_wait_gives_way() {
    let told = Duration::from_secs(3);
    let latest = |left: Duration| {
        let pauses = (0..200).map(|_| {
            let mut case = Case::new(&["a"]);
            case.install("a", left);
            let a = case.entry("a").id.clone();
            case.rotation.call_failed(&[a], "too many at once", Some(told), moment(Duration::ZERO));
            case.rotation.distrust(&[case.entry("a").id.clone()]);
            case.rotation.plan(&case.catalog, moment(Duration::ZERO)).retry_at.unwrap()
        });
        pauses.max().unwrap()
    };
    assert!(latest(Duration::from_secs(10)) <= told + told / 4);
    assert!(latest(60 * MINUTE) > told * 3);
    assert!(latest(60 * MINUTE) <= told * 5);
}

#[test]
fn neither_a_sync_nor_another_call_ends_a_pause_that_the_server_asked_for() {
    let mut case = Case::new(&["a"]);
    case.rotation.call_failed(&[], "too many at once", Some(MINUTE), moment(Duration::ZERO));
    case.rotation.resume();
    case.rotation.call_succeeded();
    assert!(case.due(59 * Duration::from_secs(1)).is_empty());
    assert_eq!(case.due(2 * MINUTE), ["a"]);
}

#[test]
fn batch_never_shrinks_to_nothing() {
    let mut case = Case::new(&["a"]);
    (0..20).for_each(|_| case.rotation.call_failed(&[], "no route", None, moment(Duration::ZERO)));
    assert_eq!(case.due(10 * MINUTE), ["a"]);
}

#[test]
fn refused_entry_does_not_hold_up_the_others() {
    let mut case = Case::new(&["a", "b"]);
    let refused = case.entry("a").id.clone();
    case.rotation.refuse(&refused, "no", moment(Duration::ZERO));
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

#[test]
fn calls_run_side_by_side_once_one_has_succeeded_and_alone_after_a_failure() {
    let mut case = Case::new(&["a"]);
    assert!(case.rotation.may_call(0) && !case.rotation.may_call(1));
    case.rotation.call_succeeded();
    assert!(case.rotation.may_call(2) && !case.rotation.may_call(3));
    case.rotation.call_failed(&[], "no route", None, moment(Duration::ZERO));
    assert!(!case.rotation.may_call(1));
}

#[test]
fn what_is_on_its_way_is_not_asked_for_again() {
    let mut case = Case::new(&["a", "b"]);
    let a = case.entry("a");
    case.rotation.begin(std::slice::from_ref(&a));
    assert_eq!(case.due(Duration::ZERO), ["b"]);
    case.rotation.end(std::slice::from_ref(&a.id));
    assert_eq!(case.due(Duration::ZERO), ["a", "b"]);
}

#[test]
fn rsa_keys_are_made_a_few_at_a_time() {
    let names: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let case = Case::limited(&names, |options| options.key_kind = KeyKind::Rsa { bits: 2048 });
    assert_eq!(case.due(Duration::ZERO).len(), 16);
}

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn availability_target_renews_while_that_much_is_left() {
    for _ in 0..100 {
        let mut case = Case::limited(&["a"], |options| options.availability_target = Some(DAY));
        case.install_of("a", 3 * DAY, 3 * DAY);
        assert!(case.due(2 * DAY - 11 * MINUTE).is_empty());
        assert_eq!(case.due(2 * DAY), ["a"]);
    }
}

#[test]
fn availability_target_that_leaves_less_than_twelve_hours_of_use_is_passed_over() {
    let mut case = Case::limited(&["a"], |options| options.availability_target = Some(DAY));
    case.install_of("a", 35 * HOUR, 35 * HOUR);
    assert!(case.due(15 * HOUR).is_empty());
    assert_eq!(case.due(20 * HOUR), ["a"]);
    let mut case = Case::limited(&["a"], |options| options.availability_target = Some(DAY));
    case.install_of("a", 36 * HOUR, 36 * HOUR);
    assert_eq!(case.due(12 * HOUR), ["a"]);
}

/// A cache with two places, three entries, and the SVIDs of the first two.
fn full() -> Case {
    let mut case = Case::limited(&["a", "b", "c"], |options| options.most_x509_svids = 2);
    case.install("a", 50 * MINUTE);
    case.install("b", 50 * MINUTE);
    case
}

#[test]
fn full_cache_fetches_nothing_ahead() {
    let mut case = full();
    assert!(!case.choose());
    assert!(case.due(Duration::ZERO).is_empty());
    assert_eq!(case.held(), ["a", "b"]);
}

#[test]
fn what_was_read_longest_ago_makes_room() {
    let mut case = full();
    drop(case.read("b"));
    drop(case.read("a"));
    let _reading = case.read("c");
    assert!(case.choose());
    assert_eq!(case.held(), ["a"]);
    assert_eq!(case.due(Duration::ZERO), ["c"]);
}

#[test]
fn what_has_a_reader_is_never_put_out() {
    let mut case = full();
    let _readings = [case.read("a"), case.read("b"), case.read("c")];
    assert!(!case.choose());
    case.install("c", 50 * MINUTE);
    assert_eq!(case.held(), ["a", "b", "c"], "the limit is soft");
}

#[test]
fn readers_that_left_give_their_places_back() {
    let mut case = full();
    let readings = [case.read("a"), case.read("b"), case.read("c")];
    case.choose();
    case.install("c", 50 * MINUTE);
    drop(readings);
    assert!(case.choose());
    assert_eq!(case.held(), ["b", "c"]);
}

#[test]
fn entry_that_went_is_forgotten_by_the_table_of_uses() {
    let mut case = Case::new(&["a"]);
    drop(case.read("a"));
    let id = case.entry("a").id.clone();
    assert_ne!(case.readers.uses().last_use(&id), 0);
    case.catalog = EntryCatalog::default();
    case.choose();
    assert_eq!(case.readers.uses().last_use(&id), 0);
}

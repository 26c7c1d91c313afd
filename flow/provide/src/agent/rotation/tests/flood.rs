//! A server with more to do than it can, and many agents that have everything due at once.

use std::time::{Duration, SystemTime};

use finial_daemon::jitter;
use finial_identity::{EntryId, KeyKind, PrivateKey, X509Credential};

use super::{Case, MINUTE, moment};
use crate::agent::testing::start_of_time;

const AGENTS: u32 = 60;
const TICK: Duration = Duration::from_millis(250);
/// How many SVIDs the server signs in a tick, and how many of these it may save up.
const SIGNED: (f64, f64) = (0.25, 20.0);

/// An SVID that was renewed: when it would have ended, and when the next one came.
type Renewed = (SystemTime, Duration);

/// The `number`-th of many: five SVIDs that end five minutes after each other, all due.
fn agent(number: u32) -> Case {
    let names = ["a", "b", "c", "d", "e"];
    let mut case = Case::new(&names);
    let first = MINUTE + number * Duration::from_secs(30);
    (0..).zip(names).for_each(|(later, name)| case.install(name, first + later * 5 * MINUTE));
    let ids: Vec<EntryId> = case.catalog.iter().map(|entry| entry.id.clone()).collect();
    case.rotation.distrust(&ids);
    case
}

impl Case {
    /// Asks for what is due, of a server that has room for so many; gives how many it signed.
    fn ask(&mut self, room: f64, now: Duration, renewed: &mut Vec<Renewed>) -> usize {
        let now = moment(now);
        assert!(self.rotation.drop_expired(now.wall).is_empty(), "an SVID expired unrenewed");
        let batch = self.rotation.plan(&self.catalog, now).batch;
        if batch.len() as f64 > room {
            let asked: Vec<EntryId> = batch.iter().map(|entry| entry.id.clone()).collect();
            let told = jitter(Duration::from_secs(3), 0.5);
            self.rotation.call_failed(&asked, "busy", Some(told), now);
            return 0;
        }
        for entry in &batch {
            let held = self.rotation.credentials().find(|(id, _)| **id == entry.id).unwrap().1;
            renewed.push((held.svid().not_after(), now.monotonic));
            let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
            let ends = now.wall + 24 * 60 * MINUTE;
            let svid = self.authority.issue(&entry.spiffe_id, key.public_key(), now.wall, ends);
            let credential = X509Credential::new(svid, key, String::new()).unwrap();
            self.rotation.install(entry, credential, now.wall);
            self.rotation.call_succeeded();
        }
        batch.len()
    }
}

#[test]
fn under_a_flood_nothing_expires_and_what_ends_soonest_is_renewed_first() {
    let mut agents: Vec<Case> = (0..AGENTS).map(agent).collect();
    let (mut room, mut now, mut renewed) = (0.0, Duration::ZERO, Vec::new());
    while renewed.len() < 5 * agents.len() {
        now += TICK;
        room = f64::min(room + SIGNED.0, SIGNED.1);
        agents.sort_by_cached_key(|_| jitter(MINUTE, 1.0));
        for agent in &mut agents {
            room -= agent.ask(room, now, &mut renewed) as f64;
        }
        assert!(now < 60 * MINUTE, "{} are renewed", renewed.len());
    }

    renewed.sort();
    let quarters = renewed.chunks(renewed.len() / 4).map(|quarter| {
        let waits: Duration = quarter.iter().map(|(_, waited)| *waited).sum();
        waits / u32::try_from(quarter.len()).unwrap()
    });
    let quarters: Vec<Duration> = quarters.collect();
    assert!(quarters.is_sorted(), "{quarters:?}");
    assert!(quarters[0] * 2 < quarters[3], "{quarters:?}");
    let first = renewed[0].0.duration_since(start_of_time()).unwrap();
    assert!(first < now, "the first would have ended before all were renewed");
}

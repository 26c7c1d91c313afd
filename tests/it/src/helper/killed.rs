//! A helper that is killed at any moment of its writing, while readers loop over the files: whoever reads through the link
//! that is switched never sees a key that is another certificate's, and neither does who reads by name and then finds
//! that the link has not moved.
//!
//! Some rotations in `make test`; 1,000, and 100,000 reads, with `FINIAL_SOAK=1`, as `make soak` sets.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use finial_daemon::{Clock, Tasks};

use super::{Home, helper, pair, serial_number};
use crate::agent::{Agent, Authorities};

/// Rotations: (in `make test`, in `make soak`).
const ROTATIONS: (usize, usize) = (30, 1_000);
/// The least that all readers together have read.
const READS: (usize, usize) = (1_000, 100_000);
/// One kill in so many rotations.
const KILLS: usize = 2;
/// The longest time from a rotation to a kill, in microseconds: to write takes less.
const MOMENT: u64 = 20_000;
const PAUSE: Duration = Duration::from_millis(1);
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_never_sees_a_pair_that_does_not_match_whenever_the_helper_is_killed() {
    let (home, clock) = (Home::new(), Clock::system());
    let tasks = Tasks::new(clock.clone());
    let authorities = Authorities::new();
    let agent = Agent::serve("spiffe://example.org/db", &authorities, &home.path("agent.sock"), &tasks);
    let config = home.configure(&agent.socket, "");
    let (rotations, reads) = match std::env::var_os("FINIAL_SOAK") {
        Some(_) => (ROTATIONS.1, READS.1),
        None => (ROTATIONS.0, READS.0),
    };
    let mut running = helper(&config);
    delivered(&agent, &home.certs(), &clock).await;

    let (over, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let certs = home.certs();
        for read in [through_the_link, by_name] {
            let (certs, over, seen) = (certs.clone(), &over, &seen);
            scope.spawn(move || {
                // The last read is after the last write.
                while !over.load(Ordering::Acquire) {
                    seen.fetch_add(usize::from(read(&certs)), Ordering::Relaxed);
                }
                assert!(read(&certs));
            });
        }
        let _over = OnDrop(&over);
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let mut rotation = 0;
                while rotation < rotations || seen.load(Ordering::Relaxed) < reads {
                    agent.rotate(&authorities);
                    if rotation % KILLS == 0 {
                        let moment = u64::try_from(rotation).unwrap() * 7_919 % MOMENT;
                        clock.sleep(Duration::from_micros(moment)).await;
                        running.kill();
                        running = helper(&config);
                    }
                    delivered(&agent, &certs, &clock).await;
                    rotation += 1;
                }
            });
        });
    });
    assert!(seen.load(Ordering::Relaxed) >= reads);
    tasks.stop(Duration::from_secs(5)).await;
}

/// Waits until the agent's SVID stands in the folder.
async fn delivered(agent: &Agent, certs: &Path, clock: &Clock) {
    let stands = async {
        while serial_number(certs).as_ref() != Some(&agent.serial_number()) {
            clock.sleep(PAUSE).await;
        }
    };
    clock.timeout(LIMIT, stands).await.expect("the SVID comes to the folder");
}

/// `false` when the generation was removed meanwhile, which is two updates old.
fn through_the_link(certs: &Path) -> bool {
    let generation: PathBuf = certs.join(fs::read_link(certs.join("..data")).unwrap());
    let (chain, key) = (fs::read(generation.join("chain")), fs::read(generation.join("key")));
    chain.ok().zip(key.ok()).map(|(chain, key)| pair(&chain, &key)).is_some()
}

/// `false` when the link has moved meanwhile.
fn by_name(certs: &Path) -> bool {
    let link = || fs::read_link(certs.join("..data")).unwrap();
    let before = link();
    let (chain, key) = (fs::read(certs.join("chain")).unwrap(), fs::read(certs.join("key")).unwrap());
    if link() != before {
        return false;
    }
    pair(&chain, &key);
    true
}

/// Lets the readers rest whatever happens to the story.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

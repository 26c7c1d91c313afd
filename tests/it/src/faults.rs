//! A fault at any write of a server's or an agent's state: killed there, a full disk, a broken one; and then a new start.
//!
//! A story is told once to count the calls that change a file, and then again and again, each time with another of them
//! met by a fault. `FINIAL_INJECTIONS` says how often for each story: all calls meet all faults at some thousands. A few
//! in `make test`; 1,000 in all with `FINIAL_SOAK=1`, as `make soak` sets.

mod agent;
mod server;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use finial_daemon::Clock;
use finial_identity::Bundle;
use finial_testkit::{Fault, Process};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cells;

/// Injections into each story: (in `make test`, in `make soak`).
const INJECTIONS: (u64, u64) = (14, 600);
/// Whether the fault stays from its first call on.
const KINDS: [(Fault, bool); 7] = [
    (Fault::Kill, false),
    (Fault::Full, true),
    (Fault::Torn, false),
    (Fault::Broken, false),
    (Fault::Full, false),
    (Fault::Broken, true),
    (Fault::ReadOnly, true),
];
const PAUSE: Duration = Duration::from_millis(20);
/// How long anything may take that must come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// One call and what it meets.
#[derive(Clone, Copy, Debug)]
struct Injection {
    fault: Fault,
    lasting: bool,
    /// Counted from 1; 0 for none.
    at: u64,
}

impl Injection {
    const NONE: Self = Self { fault: Fault::Kill, lasting: false, at: 0 };

    /// The `index`-th of `count`, spread evenly over so many calls.
    fn of(index: u64, count: u64, calls: u64) -> Self {
        let (fault, lasting) = KINDS[index as usize % KINDS.len()];
        Self { fault, lasting, at: 1 + index * calls / count }
    }

    fn calls(&self) -> RangeInclusive<u64> {
        self.at..=if self.lasting { u64::MAX } else { self.at }
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} at call {}", self.fault, if self.lasting { " from then on," } else { "" }, self.at)
    }
}

/// Tells a story with each injection in its turn, and then of all that ended badly.
///
/// `tell` gives how many calls there were, and the first one that met the fault.
fn sweep(name: &str, tell: impl AsyncFn(Injection) -> anyhow::Result<(u64, String)> + Sync) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (calls, _) = runtime.block_on(tell(Injection::NONE)).unwrap();
    assert!(calls > 50, "the {name} made {calls} calls: the faults do not reach it");
    let count = injections().min(calls * KINDS.len() as u64);
    let injections: Vec<_> = (0..count).map(|index| Injection::of(index, count, calls)).collect();
    let struck = AtomicU64::new(0);
    cells::all(&injections, async |injection| {
        let (_, call) = tell(*injection).await?;
        struck.fetch_add(u64::from(!call.is_empty()), Ordering::Relaxed);
        Ok(())
    });
    let struck = struck.into_inner();
    println!("{name}: {calls} calls change a file; {struck} of {count} injections struck");
    // The number of calls differs from day to day by some, so that the last of them may not come about.
    assert!(struck * 10 > count * 9, "only {struck} of {count} injections struck");
}

fn injections() -> u64 {
    match std::env::var("FINIAL_INJECTIONS") {
        Ok(count) => count.parse().expect("FINIAL_INJECTIONS is a number"),
        Err(_) if std::env::var_os("FINIAL_SOAK").is_some() => INJECTIONS.1,
        Err(_) => INJECTIONS.0,
    }
}

/// Waits for `answer` as long as the program lives; `None` when it has ended.
pub(crate) async fn meanwhile<T>(
    process: &mut Process,
    clock: &Clock,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let ended = async {
        while process.ended().is_none() {
            clock.sleep(PAUSE).await;
        }
    };
    tokio::select! {
        biased;
        answer = answer => Some(answer),
        () = ended => None,
    }
}

/// Asks it to stop, and waits until it has.
pub(crate) async fn stop(process: &mut Process, clock: &Clock) -> anyhow::Result<()> {
    if process.ended().is_some() {
        return Ok(());
    }
    kill_process(Pid::from_raw(i32::try_from(process.id())?).unwrap(), Signal::TERM)?;
    let stopped = meanwhile(process, clock, std::future::pending::<()>());
    let stopped = clock.timeout(PATIENCE, stopped).await;
    anyhow::ensure!(stopped.is_ok(), "it does not stop:\n{}", process.log());
    Ok(())
}

/// Whether an agent writes down, within this time, what is looked for in its `agent-data.json`.
async fn notes(file: &str, clock: &Clock, limit: Duration, is_such: impl Fn(&Value) -> bool) -> bool {
    let noted = async {
        loop {
            let noted = std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            if noted.is_some_and(|noted| is_such(&noted)) {
                return;
            }
            clock.sleep(PAUSE).await;
        }
    };
    clock.timeout(limit, noted).await.is_ok()
}

/// Whether all authorities of the bundle are noted.
fn knows(noted: &Value, bundle: &Bundle) -> bool {
    let texts = noted["bundle"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let noted: Vec<u8> = texts.filter_map(|text| BASE64_STANDARD.decode(text).ok()).flatten().collect();
    let Ok(noted) = Bundle::parse_pem(bundle.trust_domain.clone(), &noted) else { return false };
    let is_noted = |id: &str| noted.x509_authorities.iter().any(|noted| noted.subject_key_id_hex() == id);
    bundle.x509_authorities.iter().all(|authority| is_noted(&authority.subject_key_id_hex()))
}

#[test]
fn a_server_that_meets_a_fault_at_any_write_keeps_every_promise() {
    sweep("server", server::tell);
}

#[test]
fn an_agent_that_meets_a_fault_at_any_write_keeps_its_identity_or_regains_it() {
    sweep("agent", agent::tell);
}

#[tokio::test]
async fn an_agent_whose_disk_takes_nothing_outlives_its_authority() {
    agent::outlive_the_authority_without_a_disk().await.unwrap();
}

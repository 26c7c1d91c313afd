//! Tests of several attestors together, on a real process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;

use finial_daemon::ClockHand;

use super::*;
use crate::testing::Peer;

const DEADLINE: Duration = Duration::from_secs(5);

/// Has one answer, or fails, or never answers.
#[derive(Debug)]
enum Attestor {
    Finds(&'static str, &'static str),
    Fails(&'static str),
    Hangs(&'static str),
}

#[async_trait]
impl WorkloadAttestor for Attestor {
    fn kind(&self) -> &str {
        match self {
            Self::Finds(kind, _) | Self::Fails(kind) | Self::Hangs(kind) => kind,
        }
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        match self {
            Self::Finds(_, selector) => Ok(vec![Selector::parse(selector).unwrap()]),
            Self::Fails(_) => Err(AttestError::PathNotUtf8 { pid: process.pid() }),
            Self::Hangs(_) => std::future::pending().await,
        }
    }
}

fn attestors(attestors: impl IntoIterator<Item = Attestor>) -> (WorkloadAttestors, ClockHand) {
    let attestors = attestors.into_iter().map(|attestor| Arc::new(attestor) as Arc<dyn WorkloadAttestor>);
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    (WorkloadAttestors::new(attestors, DEADLINE, clock), hand)
}

fn selectors(process: &AttestedProcess) -> Vec<String> {
    process.selectors().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn selectors_of_all_attestors_come_together() {
    let peer = Peer::connect();
    let (attestors, _) = attestors([Attestor::Finds("b", "b:2"), Attestor::Finds("a", "a:1")]);
    let attested = attestors.attest(&peer.pin()).await.unwrap();
    assert_eq!(selectors(&attested), ["a:1", "b:2"]);
    assert_eq!(attested.process().pid(), peer.pid());
}

#[tokio::test]
async fn failing_attestor_loses_only_its_own_selectors() {
    let peer = Peer::connect();
    let (attestors, _) = attestors([Attestor::Fails("b"), Attestor::Finds("a", "a:1")]);
    let attested = attestors.attest(&peer.pin()).await.unwrap();
    assert_eq!((selectors(&attested), attested.missing()), (vec!["a:1".to_owned()], &["b".to_owned()][..]));
}

#[tokio::test]
async fn nothing_is_missing_when_every_attestor_answers() {
    let peer = Peer::connect();
    let (attestors, _) = attestors([Attestor::Finds("a", "a:1"), Attestor::Finds("b", "b:2")]);
    assert_eq!(attestors.attest(&peer.pin()).await.unwrap().missing(), [""; 0]);
}

#[tokio::test]
async fn late_attestors_lose_only_their_own_selectors() {
    let peer = Peer::connect();
    let process = peer.pin();
    let late = [Attestor::Hangs("b"), Attestor::Finds("a", "a:1"), Attestor::Hangs("c")];
    let (attestors, hand) = attestors(late);
    let deadline = async {
        hand.sleepers(2).await;
        hand.step(DEADLINE);
    };
    let (attested, ()) = tokio::join!(attestors.attest(&process), deadline);
    let attested = attested.unwrap();
    assert_eq!(selectors(&attested), ["a:1"]);
    assert_eq!(attested.missing(), ["b", "c"]);
}

#[tokio::test]
async fn examination_tells_what_each_attestor_said_and_how_long_it_took() {
    let peer = Peer::connect();
    let process = peer.pin();
    let asked = [
        Attestor::Hangs("slow"),
        Attestor::Finds("a", "a:1"),
        Attestor::Fails("b"),
        Attestor::Finds("c", "d:1"),
    ];
    let (attestors, hand) = attestors(asked);
    let deadline = async {
        hand.sleepers(1).await;
        hand.step(DEADLINE);
    };
    let (examination, ()) = tokio::join!(attestors.examine(&process), deadline);
    let told: Vec<_> = examination.outcomes().iter().map(told).collect();
    let path = format!("the path of the executable of process {} is not UTF-8", peer.pid());
    assert_eq!(told[0], ("slow", "no answer within 5s".to_owned(), DEADLINE));
    assert_eq!(told[1], ("a", "a:1".to_owned(), Duration::ZERO));
    assert!(told[2].1.starts_with(&path), "{told:?}");
    assert_eq!(told[3].1, "attestor `c` gave a selector of type `d`, which is not its own");
}

fn told(outcome: &Outcome) -> (&str, String, Duration) {
    let told = match outcome.selectors() {
        Ok(selectors) => selectors.iter().map(ToString::to_string).collect(),
        Err(error) => error.to_string(),
    };
    (outcome.attestor(), told, outcome.took())
}

#[tokio::test]
async fn nothing_is_attested_when_every_attestor_fails() {
    let peer = Peer::connect();
    for failing in
        [vec![], vec![Attestor::Fails("a")], vec![Attestor::Fails("a"), Attestor::Finds("b", "c:1")]]
    {
        let (attestors, _) = attestors(failing);
        let refused = attestors.attest(&peer.pin()).await.unwrap_err();
        assert_eq!(refused.to_string(), "workload attestation failed");
    }
}

#[tokio::test]
async fn attestor_may_not_speak_for_another() {
    let peer = Peer::connect();
    let (attestors, _) = attestors([Attestor::Finds("a", "unix:uid:0"), Attestor::Finds("b", "b:2")]);
    assert_eq!(selectors(&attestors.attest(&peer.pin()).await.unwrap()), ["b:2"]);
}

#[tokio::test]
async fn process_that_has_ended_is_not_attested() {
    let mut peer = Peer::connect();
    let process = peer.pin();
    peer.end();
    let (attestors, _) = attestors([Attestor::Finds("a", "a:1")]);
    let refused = attestors.attest(&process).await;
    assert!(matches!(refused, Err(AttestError::Gone(_))), "{refused:?}");
}

/// Tells the program of the process, and then changes it once, behind the other attestors' backs.
struct Meddler {
    peer: Mutex<Peer>,
    change: fn(&mut Peer),
    changed: OnceLock<()>,
}

impl Debug for Meddler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meddler").finish_non_exhaustive()
    }
}

#[async_trait]
impl WorkloadAttestor for Meddler {
    fn kind(&self) -> &str {
        "path"
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        let path = process.executable()?.path()?;
        self.changed.get_or_init(|| (self.change)(&mut self.peer.lock().unwrap()));
        Ok(vec![Selector::new("path", path.display().to_string()).unwrap()])
    }
}

async fn attest_while(change: fn(&mut Peer)) -> Result<AttestedProcess, AttestError> {
    let peer = Peer::connect();
    let process = peer.pin();
    let meddler: Arc<dyn WorkloadAttestor> =
        Arc::new(Meddler { peer: Mutex::new(peer), change, changed: OnceLock::new() });
    let clock = Clock::manual(SystemTime::UNIX_EPOCH).0;
    WorkloadAttestors::new([meddler], DEADLINE, clock).attest(&process).await
}

#[tokio::test]
async fn exec_during_attestation_leaves_only_the_selectors_after_it() {
    let attested = attest_while(|peer| peer.exec(Path::new("/bin/cat"))).await.unwrap();
    let cat = Path::new("/bin/cat").canonicalize().unwrap();
    assert_eq!(selectors(&attested), [format!("path:{}", cat.display())]);
}

#[tokio::test]
async fn process_that_ends_during_attestation_is_gone() {
    let refused = attest_while(Peer::end).await;
    assert!(matches!(refused, Err(AttestError::Gone(_))), "{refused:?}");
}

/// Finds something at first, then fails as often as told, then finds something else.
#[derive(Debug)]
struct Unsteady {
    answers: Mutex<Vec<Option<&'static str>>>,
}

#[async_trait]
impl WorkloadAttestor for Unsteady {
    fn kind(&self) -> &str {
        "docker"
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
        let found = answer.ok_or(AttestError::PathNotUtf8 { pid: process.pid() })?;
        Ok(found.split_whitespace().map(|value| Selector::new("docker", value).unwrap()).collect())
    }
}

/// What the second attestation gives when the attestor answers like this, and the pauses it took.
async fn attested_again(
    answers: &[Option<&'static str>],
) -> (Result<AttestedProcess, AttestError>, Duration) {
    let peer = Peer::connect();
    let process = peer.pin();
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let unsteady: Arc<dyn WorkloadAttestor> = Arc::new(Unsteady { answers: Mutex::new(answers.to_vec()) });
    let steady: Arc<dyn WorkloadAttestor> = Arc::new(Attestor::Finds("a", "a:1"));
    let attestors = WorkloadAttestors::new([unsteady, steady], DEADLINE, clock.clone());
    let before = attestors.attest(&process).await.unwrap();
    let mut again = Box::pin(attestors.attest_again(&before));
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut again => break answer,
            () = hand.sleepers(1) => assert!(hand.advance_to_next_wake().is_some()),
        }
    };
    (answer, clock.monotonic())
}

#[tokio::test]
async fn attestor_that_knew_something_is_waited_for() {
    let (again, took) = attested_again(&[Some("old"), None, None, Some("new")]).await;
    assert_eq!(selectors(&again.unwrap()), ["a:1", "docker:new"]);
    assert_eq!(took, PAUSE * 2);
}

#[tokio::test]
async fn attestor_that_knew_something_and_stays_silent_leaves_the_attestation_incomplete() {
    let (again, took) = attested_again(&[Some("old"), None]).await;
    let refused = again.unwrap_err().to_string();
    assert!(refused.starts_with("workload attestation is incomplete: no answer from docker"), "{refused}");
    assert_eq!(took, PATIENCE);
}

#[tokio::test]
async fn attestor_that_knew_nothing_is_not_waited_for() {
    for before in [None, Some("")] {
        let (again, took) = attested_again(&[before, None]).await;
        assert_eq!(again.unwrap().missing(), ["docker"]);
        assert_eq!(took, Duration::ZERO);
    }
}

#[tokio::test]
async fn what_an_attestor_does_not_find_any_more_is_gone_at_once() {
    let (again, took) = attested_again(&[Some("old"), Some("")]).await;
    assert_eq!(selectors(&again.unwrap()), ["a:1"]);
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test]
async fn attestation_is_current_until_the_process_executes_another_program_or_ends() {
    for change in [|peer: &mut Peer| peer.exec(Path::new("/bin/cat")), Peer::end] {
        let mut peer = Peer::connect();
        let (attestors, _) = attestors(vec![Attestor::Finds("a", "a:1")]);
        let attested = attestors.attest(&peer.pin()).await.unwrap();
        assert!(attested.is_current());
        change(&mut peer);
        assert!(!attested.is_current());
    }
}

//! Tests of several attestors together, on a real process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::Mutex;
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
    assert_eq!(selectors(&attestors.attest(&peer.pin()).await.unwrap()), ["a:1"]);
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
    assert_eq!(selectors(&attested.unwrap()), ["a:1"]);
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

/// Ends the process, or has it execute another program, while it is being attested.
#[derive(Debug)]
struct Meddler {
    peer: Mutex<Option<PeerHandle>>,
    program: Option<&'static Path>,
}

struct PeerHandle(Peer);

impl std::fmt::Debug for PeerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeerHandle")
    }
}

#[async_trait]
impl WorkloadAttestor for Meddler {
    fn kind(&self) -> &str {
        "path"
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        let path = process.executable()?.path()?;
        if let (Some(PeerHandle(peer)), program) = (self.peer.lock().unwrap().as_mut(), self.program) {
            match program {
                Some(program) if Path::new("/proc/self/exe").canonicalize().unwrap() == path => {
                    peer.exec(program)
                }
                Some(_) => {}
                None => peer.end(),
            }
        }
        Ok(vec![Selector::new("path", path.display().to_string()).unwrap()])
    }
}

async fn attest_with_meddler(program: Option<&'static Path>) -> Result<AttestedProcess, AttestError> {
    let peer = Peer::connect();
    let process = peer.pin();
    let meddler = Arc::new(Meddler { peer: Mutex::new(Some(PeerHandle(peer))), program });
    let clock = Clock::manual(SystemTime::UNIX_EPOCH).0;
    WorkloadAttestors::new([meddler.clone() as Arc<dyn WorkloadAttestor>], DEADLINE, clock)
        .attest(&process)
        .await
}

#[tokio::test]
async fn exec_during_attestation_leaves_only_the_selectors_after_it() {
    let attested = attest_with_meddler(Some(Path::new("/bin/cat"))).await.unwrap();
    let cat = Path::new("/bin/cat").canonicalize().unwrap();
    assert_eq!(selectors(&attested), [format!("path:{}", cat.display())]);
}

#[tokio::test]
async fn process_that_ends_during_attestation_is_gone() {
    let refused = attest_with_meddler(None).await;
    assert!(matches!(refused, Err(AttestError::Gone(_))), "{refused:?}");
}

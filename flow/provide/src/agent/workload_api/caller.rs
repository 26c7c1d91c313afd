//! Who asks: the process behind the connection, attested again before each answer (rule 6 of the house).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finial_attest::{AttestError, AttestedProcess, PinnedProcess, WorkloadAttestors};
use finial_identity::SelectorSet;
use tonic::{Extensions, Status};

/// The process that opened a connection to the Workload API: the connect info of the agent's accept loop.
#[derive(Debug, Clone)]
pub struct WorkloadPeer {
    process: Arc<PinnedProcess>,
    latest: Arc<Mutex<Option<Latest>>>,
}

impl WorkloadPeer {
    /// The process pinned when the connection was accepted.
    pub fn new(process: Arc<PinnedProcess>) -> Self {
        Self { process, latest: Arc::default() }
    }

    /// The process.
    pub fn process(&self) -> &Arc<PinnedProcess> {
        &self.process
    }
}

/// What the streams of one connection share when a change concerns them all: one look at the process for each change.
#[derive(Debug)]
struct Latest {
    change: Change,
    attested: AttestedProcess,
}

/// A change of what the agent holds, and when somebody began to answer because of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::agent) struct Change {
    /// Of the snapshot.
    pub(in crate::agent) revision: u64,
    /// On the monotonic scale.
    pub(in crate::agent) at: Duration,
}

impl Change {
    /// Whether a look taken for `earlier` is recent enough for this: it was for the same change, a moment ago.
    fn is_covered_by(self, earlier: Self) -> bool {
        self.revision == earlier.revision && self.at.saturating_sub(earlier.at) <= SHARED_FOR
    }
}

/// A caller and what it was last seen to be.
#[derive(Debug)]
pub(in crate::agent) struct Caller {
    peer: WorkloadPeer,
    attestors: Arc<WorkloadAttestors>,
    attested: AttestedProcess,
    is_fresh: bool,
}

impl Caller {
    /// Attests the process behind a request.
    pub(in crate::agent) async fn attest(
        ctx: &Extensions,
        attestors: &Arc<WorkloadAttestors>,
    ) -> Result<Self, Status> {
        let peer = ctx.get::<WorkloadPeer>();
        let peer = peer.ok_or_else(|| Status::internal("the connection does not say who opened it"))?;
        let attested = attestors.attest(&peer.process).await.map_err(|error| refusal(&error))?;
        Ok(Self { peer: peer.clone(), attestors: Arc::clone(attestors), attested, is_fresh: true })
    }

    pub(in crate::agent) fn process(&self) -> &PinnedProcess {
        &self.peer.process
    }

    pub(in crate::agent) fn attested(&self) -> &AttestedProcess {
        &self.attested
    }

    /// Time passes: before the next answer the caller must be looked at again.
    pub(in crate::agent) fn grow_stale(&mut self) {
        self.is_fresh = false;
    }

    /// Makes sure that what is known of the caller is true now. `false` when it has become another, by exec or by
    /// taking another user: what was worked out for it must be worked out again. May take its time.
    ///
    /// # Errors
    /// `Unavailable` when an attestor that knew the caller does not answer: it may be what it was, or not.
    pub(in crate::agent) async fn confirm(&mut self) -> Result<bool, Status> {
        if std::mem::replace(&mut self.is_fresh, true) {
            return Ok(true);
        }
        let now = self.attestors.attest_again(&self.attested).await.map_err(|error| refusal(&error))?;
        Ok(self.is_still(now))
    }

    /// As [`confirm`](Self::confirm), together with the other streams of the connection that answer to this change: the
    /// first of them attests the process, and the others make sure that it still lives and runs the same program.
    pub(in crate::agent) async fn confirm_together(&mut self, change: Change) -> Result<bool, Status> {
        if self.is_fresh {
            return Ok(true);
        }
        let shared = self.peer.latest(change).filter(AttestedProcess::is_current);
        let Some(shared) = shared else {
            let is_same = self.confirm().await?;
            self.peer.share(change, &self.attested);
            return Ok(is_same);
        };
        self.is_fresh = true;
        Ok(self.is_still(shared))
    }

    fn is_still(&mut self, now: AttestedProcess) -> bool {
        let is_same = self.selectors() == now.selectors();
        self.attested = now;
        is_same
    }

    /// Whether every attestor has answered about it.
    pub(in crate::agent) fn is_fully_known(&self) -> bool {
        self.attested.missing().is_empty()
    }

    fn selectors(&self) -> &SelectorSet {
        self.attested.selectors()
    }
}

impl WorkloadPeer {
    fn latest(&self, change: Change) -> Option<AttestedProcess> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = latest.as_ref().filter(|latest| change.is_covered_by(latest.change))?;
        Some(latest.attested.clone())
    }

    /// Lets others have it, if it is the whole truth.
    fn share(&self, change: Change, attested: &AttestedProcess) {
        if attested.missing().is_empty() {
            let latest = Latest { change, attested: attested.clone() };
            *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(latest);
        }
    }
}

/// How long one look at a process serves the streams of its connection (docs/decisions/0013).
const SHARED_FOR: Duration = Duration::from_millis(50);

/// A process that has ended gets nothing; one that could not be recognized may ask again.
fn refusal(error: &AttestError) -> Status {
    match error {
        AttestError::Gone(_) => Status::permission_denied(error.to_string()),
        AttestError::Incomplete { .. } => Status::unavailable(error.to_string()),
        _ => Status::unavailable(format!("workload attestation failed: {error}")),
    }
}

//! Who asks: the process behind the connection, attested again before each answer (rule 6 of the house).

use std::sync::Arc;

use finial_attest::{AttestError, AttestedProcess, PinnedProcess, WorkloadAttestors};
use finial_identity::SelectorSet;
use tonic::{Extensions, Status};

/// The process that opened a connection to the Workload API: the connect info of the agent's accept loop.
#[derive(Debug, Clone)]
pub struct WorkloadPeer(Arc<PinnedProcess>);

impl WorkloadPeer {
    /// The process pinned when the connection was accepted.
    pub fn new(process: Arc<PinnedProcess>) -> Self {
        Self(process)
    }

    /// The process.
    pub fn process(&self) -> &Arc<PinnedProcess> {
        &self.0
    }
}

/// A caller and what it was last seen to be.
#[derive(Debug)]
pub(in crate::agent) struct Caller {
    process: Arc<PinnedProcess>,
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
        let process = Arc::clone(peer.process());
        let attested = attestors.attest(&process).await.map_err(|error| refusal(&error))?;
        Ok(Self { process, attestors: Arc::clone(attestors), attested, is_fresh: true })
    }

    pub(in crate::agent) fn process(&self) -> &PinnedProcess {
        &self.process
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
        let is_same = self.selectors() == now.selectors();
        self.attested = now;
        Ok(is_same)
    }

    /// Whether every attestor has answered about it.
    pub(in crate::agent) fn is_fully_known(&self) -> bool {
        self.attested.missing().is_empty()
    }

    fn selectors(&self) -> &SelectorSet {
        self.attested.selectors()
    }
}

/// A process that has ended gets nothing; one that could not be recognized may ask again.
fn refusal(error: &AttestError) -> Status {
    match error {
        AttestError::Gone(_) => Status::permission_denied(error.to_string()),
        AttestError::Incomplete { .. } => Status::unavailable(error.to_string()),
        _ => Status::unavailable(format!("workload attestation failed: {error}")),
    }
}

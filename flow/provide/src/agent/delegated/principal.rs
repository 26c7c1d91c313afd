//! Who asks, and for whom: both are looked at again before each answer.

use std::sync::Arc;

use finial_attest::{AttestError, AttestedProcess, PinnedProcess, WorkloadAttestors};
use finial_authorize::{Delegates, Delegation};
use finial_identity::{Entry, SelectorSet};
use finial_wire::DelegatedWorkload;
use tonic::{Extensions, Status};

use crate::agent::catalog::EntryCatalog;
use crate::agent::workload_api::caller::Caller;

/// A caller that says it may ask in the name of others.
#[derive(Debug)]
pub(super) struct Delegate {
    caller: Caller,
    delegates: Arc<Delegates>,
}

impl Delegate {
    /// Attests the process behind a request.
    pub(super) async fn attest(
        ctx: &Extensions,
        attestors: &Arc<WorkloadAttestors>,
        delegates: &Arc<Delegates>,
    ) -> Result<Self, Status> {
        Ok(Self { caller: Caller::attest(ctx, attestors).await?, delegates: Arc::clone(delegates) })
    }

    pub(super) fn process(&self) -> &PinnedProcess {
        self.caller.process()
    }

    /// The proof that it may, with what the agent holds now.
    pub(super) fn authorize(&self, catalog: &EntryCatalog) -> Result<Delegation, Status> {
        let process = self.caller.attested();
        let candidates = catalog.candidates(process.selectors()).cloned();
        self.delegates.authorize(process, candidates).map_err(|denial| {
            tracing::warn!(pid = process.process().pid(), %denial, "a process is no delegate, and is given nothing");
            Status::permission_denied(denial.to_string())
        })
    }

    /// Time passes: before the next answer it must be looked at again.
    pub(super) fn grow_stale(&mut self) {
        self.caller.grow_stale();
    }

    /// Makes sure that what is known of it is true now; `false` when it has become another.
    pub(super) async fn confirm(&mut self) -> Result<bool, Status> {
        self.caller.confirm().await
    }
}

/// A workload in whose name a delegate asks.
#[derive(Debug)]
pub(super) enum Workload {
    /// The delegate vouches for what it is.
    Described(SelectorSet),
    /// The agent looks at it by itself.
    Process(Box<Subject>),
}

#[derive(Debug)]
pub(super) struct Subject {
    process: Arc<PinnedProcess>,
    attestors: Arc<WorkloadAttestors>,
    attested: AttestedProcess,
    is_fresh: bool,
}

impl Workload {
    /// The workload that was named; a process is pinned and attested.
    pub(super) async fn find(
        named: DelegatedWorkload,
        attestors: &Arc<WorkloadAttestors>,
    ) -> Result<Self, Status> {
        match named {
            DelegatedWorkload::Selectors(selectors) => Ok(Self::Described(selectors)),
            DelegatedWorkload::Process(pid) => {
                let process = PinnedProcess::of_pid(pid).map_err(|error| refusal(&error))?;
                let process = Arc::new(process);
                let attested = attestors.attest(&process).await.map_err(|error| refusal(&error))?;
                let attestors = Arc::clone(attestors);
                Ok(Self::Process(Box::new(Subject { process, attestors, attested, is_fresh: true })))
            }
        }
    }

    /// Its entries, as far as they are lent to delegates.
    pub(super) fn entries(&self, delegation: &Delegation, catalog: &EntryCatalog) -> Vec<Arc<Entry>> {
        let selectors = match self {
            Self::Described(selectors) => selectors,
            Self::Process(subject) => subject.attested.selectors(),
        };
        delegation.entries(selectors, catalog.candidates(selectors).cloned())
    }

    /// Time passes: before the next answer a process must be looked at again.
    pub(super) fn grow_stale(&mut self) {
        if let Self::Process(subject) = self {
            subject.is_fresh = false;
        }
    }

    /// Makes sure that what is known of it is true now; `false` when it has become another.
    ///
    /// # Errors
    /// When the process has ended: nothing more is given in its name.
    pub(super) async fn confirm(&mut self) -> Result<bool, Status> {
        let Self::Process(subject) = self else { return Ok(true) };
        if std::mem::replace(&mut subject.is_fresh, true) {
            return Ok(true);
        }
        let now = subject.attestors.attest(&subject.process).await.map_err(|error| refusal(&error))?;
        let is_same = subject.attested.selectors() == now.selectors();
        subject.attested = now;
        Ok(is_same)
    }
}

/// A process that has ended is not there; one that could not be recognized may be asked for again.
fn refusal(error: &AttestError) -> Status {
    match error {
        AttestError::Gone(_) => Status::not_found(error.to_string()),
        _ => Status::unavailable(format!("workload attestation failed: {error}")),
    }
}

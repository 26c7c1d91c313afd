//! Explains to an administrator why a process has the identities that it has, or none.

mod report;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use finial_attest::{AttestError, Examination, PinnedProcess, WorkloadAttestors};
use finial_authorize::matching_entries;
use finial_identity::{Entry, EntryId, SelectorSet, SpiffeId};
use finial_wire::server::ExplainApi;
use finial_wire::{ExplainedAttestor, ExplainedProcess, Explanation};
use tonic::{Extensions, Status};

use self::report::Report;
use super::cache::Cache;
use super::issuance::describe;

/// Explains what the processes of a node are served. For administrators: it tells every selector.
#[derive(Debug)]
pub struct Explainer {
    cache: Cache,
    attestors: Arc<WorkloadAttestors>,
    agent: SpiffeId,
}

impl Explainer {
    /// Explains what `cache` holds for the processes that `attestors` recognize. `agent` is this agent's own ID, which
    /// is named in advice.
    pub fn new(cache: Cache, attestors: Arc<WorkloadAttestors>, agent: SpiffeId) -> Self {
        Self { cache, attestors, agent }
    }

    /// The entries that the process would be served for now. As for its own call, it takes an attestation.
    async fn served(&self, process: &Arc<PinnedProcess>) -> Result<Vec<Arc<Entry>>, AttestError> {
        let attested = self.attestors.attest(process).await?;
        let snapshot = self.cache.snapshot();
        let candidates = snapshot.entries().candidates(attested.selectors()).cloned();
        Ok(matching_entries(&attested, candidates))
    }
}

#[async_trait]
impl ExplainApi for Explainer {
    async fn explain(&self, _: &Extensions, pid: i32) -> Result<Explanation, Status> {
        let process = Arc::new(PinnedProcess::of_pid(pid).map_err(|error| refusal(&error))?);
        let examination = self.attestors.examine(&process).await;
        let served = match self.served(&process).await {
            Err(AttestError::Gone(gone)) => return Err(refusal(&gone.into())),
            served => served.map_err(|error| describe(&error)),
        };
        let snapshot = self.cache.snapshot();
        let matching = served.iter().flatten().map(|entry| entry.id.clone());
        let outlooks = self.cache.outlooks(matching.collect::<Vec<EntryId>>()).await;
        let state = self.cache.state().borrow().clone();
        let found = found(&examination);
        let report = Report { snapshot: &snapshot, found: &found, served: &served, outlooks };
        let explained = explained_process(&process);
        Ok(Explanation {
            summary: report.summary(&explained, &self.agent),
            matches: report.matches(),
            misses: report.misses(),
            further_misses: report.further_misses(),
            process: explained,
            attestors: examination.outcomes().iter().map(explained_attestor).collect(),
            entries: snapshot.entries().len(),
            last_sync: state.last_sync,
            sync_failure: state.failure.map(|status| status.message().to_owned()),
        })
    }
}

fn explained_process(process: &PinnedProcess) -> ExplainedProcess {
    let path = process.executable().and_then(|executable| executable.path()).ok();
    ExplainedProcess {
        pid: process.pid(),
        uid: process.credentials().uid(),
        gid: process.credentials().gid(),
        path: path.map(|path| path.display().to_string()),
    }
}

fn explained_attestor(outcome: &finial_attest::Outcome) -> ExplainedAttestor {
    let found = outcome.selectors().map(|found| found.iter().cloned().collect());
    ExplainedAttestor {
        name: outcome.attestor().to_owned(),
        found: found.map_err(|error| describe(error)),
        took: outcome.took(),
    }
}

/// All that the attestors found together.
fn found(examination: &Examination) -> SelectorSet {
    let answers = examination.outcomes().iter().filter_map(|outcome| outcome.selectors().ok());
    answers.flatten().cloned().collect()
}

fn refusal(error: &AttestError) -> Status {
    match error {
        AttestError::Gone(_) => Status::not_found(format!("{error}, or never was")),
        _ => Status::unavailable(describe(error)),
    }
}

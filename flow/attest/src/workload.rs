//! Workload attestation: the selectors of the process behind a Unix socket.

#[cfg(test)]
mod tests;
pub(crate) mod unix;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_identity::{Selector, SelectorSet};
use futures_util::future::join_all;

use crate::{AttestError, PinnedProcess};

/// A way to find out about a process.
///
/// An attestor reads the process only through its [`PinnedProcess`]; what it asks others about (a container runtime)
/// it asks for the process, and then checks that the process [still lives](PinnedProcess::still_the_same).
#[async_trait]
pub trait WorkloadAttestor: Send + Sync + Debug {
    /// The type of its selectors, such as `unix`.
    fn kind(&self) -> &str;

    /// The selectors of the process, all of the attestor's own type. Called again for each answer to a workload, so
    /// what is costly is kept.
    ///
    /// # Errors
    /// When the selectors cannot be found out, as opposed to there being none.
    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError>;
}

/// The workload attestors of an agent. The only source of [`AttestedProcess`].
#[derive(Clone, Debug)]
pub struct WorkloadAttestors {
    attestors: Arc<[Arc<dyn WorkloadAttestor>]>,
    deadline: Duration,
    clock: Clock,
}

impl WorkloadAttestors {
    /// Asks all of `attestors`, each for at most `deadline`.
    pub fn new(
        attestors: impl IntoIterator<Item = Arc<dyn WorkloadAttestor>>,
        deadline: Duration,
        clock: Clock,
    ) -> Self {
        Self { attestors: attestors.into_iter().collect(), deadline, clock }
    }

    /// Finds the selectors of a process, by all attestors at once.
    ///
    /// Call it for each answer, not for each connection: after an exec the process has other selectors. An attestor
    /// that fails or is late loses only its own selectors, and is logged by name.
    ///
    /// # Errors
    /// [`AttestError::Gone`] when the process has ended; [`AttestError::Workload`] when no attestor succeeded;
    /// [`AttestError::Restless`] when the process kept running one program after the other.
    pub async fn attest(&self, process: &Arc<PinnedProcess>) -> Result<AttestedProcess, AttestError> {
        for _ in 0..ATTEMPTS {
            let before = process.image()?;
            let selectors = self.selectors(process).await;
            let unchanged = process.image()? == before;
            process.still_the_same()?;
            if unchanged {
                return Ok(AttestedProcess { process: Arc::clone(process), selectors: selectors? });
            }
        }
        Err(AttestError::Restless { pid: process.pid() })
    }

    async fn selectors(&self, process: &PinnedProcess) -> Result<SelectorSet, AttestError> {
        let found =
            join_all(self.attestors.iter().map(|attestor| self.ask(attestor.as_ref(), process))).await;
        if found.iter().all(Option::is_none) {
            return Err(AttestError::Workload);
        }
        Ok(found.into_iter().flatten().flatten().collect())
    }

    /// The selectors from one attestor, or none when it failed.
    async fn ask(&self, attestor: &dyn WorkloadAttestor, process: &PinnedProcess) -> Option<Vec<Selector>> {
        let kind = attestor.kind();
        let answer = self.clock.timeout(self.deadline, attestor.attest(process)).await;
        let problem: &dyn std::error::Error = match &answer {
            Ok(Ok(selectors)) => match selectors.iter().find(|selector| selector.kind() != kind) {
                None => return answer.ok()?.ok(),
                Some(stranger) => &AttestError::ForeignSelector {
                    kind: kind.to_owned(),
                    foreign: stranger.kind().to_owned(),
                },
            },
            Ok(Err(error)) => error,
            Err(late) => late,
        };
        tracing::warn!(
            attestor = kind,
            pid = process.pid(),
            error = problem,
            "Workload attestor {kind} failed; the workload goes without its selectors"
        );
        None
    }
}

/// The proof that the process behind a socket has these selectors. Made by [`WorkloadAttestors`] alone.
#[derive(Clone, Debug)]
pub struct AttestedProcess {
    process: Arc<PinnedProcess>,
    selectors: SelectorSet,
}

impl AttestedProcess {
    /// The process. Ask whether it is [still the same](PinnedProcess::still_the_same) before answering it.
    pub fn process(&self) -> &PinnedProcess {
        &self.process
    }

    /// What is known about it. Values do not belong in logs.
    pub fn selectors(&self) -> &SelectorSet {
        &self.selectors
    }
}

/// How often an attestation begins again because the process has started another program meanwhile.
const ATTEMPTS: usize = 3;

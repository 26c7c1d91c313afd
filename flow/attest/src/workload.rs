//! Workload attestation: the selectors of the process behind a Unix socket.

mod examination;
mod meters;
pub(crate) mod systemd;
#[cfg(test)]
mod tests;
pub(crate) mod unix;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_daemon::metrics::Metrics;
use finial_identity::{Selector, SelectorSet};
use futures_util::future::join_all;

pub use self::examination::{Examination, Outcome};
use self::meters::Meters;
use crate::process::Image;
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
    meters: Option<Arc<Meters>>,
}

impl WorkloadAttestors {
    /// Asks all of `attestors`, each for at most `deadline`.
    pub fn new(
        attestors: impl IntoIterator<Item = Arc<dyn WorkloadAttestor>>,
        deadline: Duration,
        clock: Clock,
    ) -> Self {
        Self { attestors: attestors.into_iter().collect(), deadline, clock, meters: None }
    }

    /// Counts and measures each attestation, and each attestor's part in it, among `metrics`.
    #[must_use]
    pub fn measured(self, metrics: &Metrics) -> Self {
        let meters = Meters::new(metrics, self.attestors.iter().map(|attestor| attestor.kind()));
        Self { meters: Some(Arc::new(meters)), ..self }
    }

    /// Finds the selectors of a process, by all attestors at once.
    ///
    /// Call it for each answer, not for each connection: after an exec the process has other selectors. An attestor
    /// that fails or is late loses only its own selectors, is logged by name, and is [missing](AttestedProcess::missing)
    /// in the proof.
    ///
    /// # Errors
    /// [`AttestError::Gone`] when the process has ended; [`AttestError::Workload`] when no attestor succeeded;
    /// [`AttestError::Restless`] when the process kept running one program after the other.
    pub async fn attest(&self, process: &Arc<PinnedProcess>) -> Result<AttestedProcess, AttestError> {
        let began = self.clock.monotonic();
        let attested = self.find_out(process).await;
        if let Some(meters) = &self.meters {
            meters.note(&attested, self.clock.monotonic().saturating_sub(began));
        }
        attested
    }

    async fn find_out(&self, process: &Arc<PinnedProcess>) -> Result<AttestedProcess, AttestError> {
        for _ in 0..ATTEMPTS {
            let before = process.image()?;
            let examination = self.examine(process).await;
            let unchanged = process.image()? == before;
            process.still_the_same()?;
            if unchanged {
                return proof(process, before, examination);
            }
        }
        Err(AttestError::Restless { pid: process.pid() })
    }

    /// Attests a process again, before another answer to it.
    ///
    /// An attestor that knew something of the process and does not answer now is asked again for some ten seconds: what it
    /// knew may still be true or not, so that the process is neither answered by it nor refused without it.
    ///
    /// # Errors
    /// [`AttestError::Incomplete`] when such an attestor stays silent; otherwise as for [`attest`](Self::attest).
    pub async fn attest_again(&self, before: &AttestedProcess) -> Result<AttestedProcess, AttestError> {
        let gives_up_at = self.clock.monotonic() + PATIENCE;
        loop {
            let now = self.attest(&before.process).await;
            let silent: Vec<String> = match &now {
                Ok(now) => now.missing.iter().filter(|kind| before.is_known_by(kind)).cloned().collect(),
                Err(AttestError::Workload) => self.kinds().collect(),
                Err(_) => return now,
            };
            if silent.is_empty() {
                return now;
            }
            if self.clock.monotonic() >= gives_up_at {
                return Err(AttestError::Incomplete { missing: silent });
            }
            self.clock.sleep(PAUSE).await;
        }
    }

    fn kinds(&self) -> impl Iterator<Item = String> {
        self.attestors.iter().map(|attestor| attestor.kind().to_owned())
    }

    /// Asks every attestor, and tells what each said and how long it took. For explanations: nothing is proven by it,
    /// nor is anything logged.
    pub async fn examine(&self, process: &PinnedProcess) -> Examination {
        let asked = self.attestors.iter().map(|attestor| self.ask(attestor.as_ref(), process));
        Examination::of(join_all(asked).await)
    }

    async fn ask(&self, attestor: &dyn WorkloadAttestor, process: &PinnedProcess) -> Outcome {
        let began = self.clock.monotonic();
        let answer = self.clock.timeout(self.deadline, attestor.attest(process)).await;
        let took = self.clock.monotonic().saturating_sub(began);
        let kind = attestor.kind();
        let found = answer.unwrap_or_else(|late| Err(late.into()));
        let found =
            found.and_then(|selectors| match selectors.iter().find(|selector| selector.kind() != kind) {
                None => Ok(selectors),
                Some(foreign) => Err(AttestError::ForeignSelector {
                    kind: kind.to_owned(),
                    foreign: foreign.kind().to_owned(),
                }),
            });
        if let Some(meters) = &self.meters {
            meters.note_part(kind, found.is_ok(), took);
        }
        Outcome { attestor: kind.to_owned(), found, took }
    }
}

/// What was found becomes a proof, unless nothing could be.
fn proof(
    process: &Arc<PinnedProcess>,
    image: Image,
    examination: Examination,
) -> Result<AttestedProcess, AttestError> {
    for outcome in examination.outcomes() {
        let Err(error) = outcome.selectors() else { continue };
        let (attestor, error): (_, &dyn std::error::Error) = (outcome.attestor(), error);
        tracing::warn!(
            attestor,
            pid = process.pid(),
            error,
            "Workload attestor {attestor} failed; the workload goes without its selectors"
        );
    }
    if examination.is_in_vain() {
        return Err(AttestError::Workload);
    }
    let (selectors, missing) = examination.into_parts();
    Ok(AttestedProcess { process: Arc::clone(process), image, selectors, missing })
}

/// The proof that the process behind a socket has these selectors. Made by [`WorkloadAttestors`] alone.
#[derive(Clone, Debug)]
pub struct AttestedProcess {
    process: Arc<PinnedProcess>,
    image: Image,
    selectors: SelectorSet,
    missing: Vec<String>,
}

impl AttestedProcess {
    /// The process. Ask whether it is [still the same](PinnedProcess::still_the_same) before answering it.
    pub fn process(&self) -> &PinnedProcess {
        &self.process
    }

    /// Whether the process still lives and runs the program that was attested. Cheap: two system calls. It says nothing of
    /// what else may have changed, such as its user.
    pub fn is_current(&self) -> bool {
        self.process.image().is_ok_and(|image| image == self.image)
    }

    /// What is known about it. Values do not belong in logs.
    pub fn selectors(&self) -> &SelectorSet {
        &self.selectors
    }

    /// Whether an attestor found something.
    fn is_known_by(&self, kind: &str) -> bool {
        self.selectors.iter().any(|selector| selector.kind() == kind)
    }

    /// The attestors that failed or were late, such as `docker`: the process may have selectors of these types as well.
    /// Empty when everything is known that can be.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }
}

/// How often an attestation begins again because the process has started another program meanwhile.
const ATTEMPTS: usize = 3;
/// How long an attestor that knew something may be silent, and how often it is asked meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);

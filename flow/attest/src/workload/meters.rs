//! What is counted of workload attestation, by SPIRE's names.

use std::time::Duration;

use finial_daemon::metrics::{CallStatus, Calls, Metrics, Sample};

use super::AttestedProcess;
use crate::AttestError;

/// The code of gRPC for an attestor that could not find out what it was asked.
const FAILED: i32 = 13;

#[derive(Debug)]
pub(super) struct Meters {
    attestations: Calls,
    selectors: Sample,
    /// By the kind of the attestor.
    parts: Vec<(String, Calls)>,
}

impl Meters {
    pub(super) fn new<'a>(metrics: &Metrics, kinds: impl Iterator<Item = &'a str>) -> Self {
        let part = |kind: &str| {
            let help = "A workload attestor is asked.";
            let calls = metrics.calls_with("workload_api.workload_attestor", help, &[("attestor", kind)]);
            (kind.to_owned(), calls)
        };
        Self {
            attestations: metrics.calls("workload_api.workload_attestation", "A workload is attested."),
            selectors: metrics
                .sample("workload_api.discovered_selectors", "Selectors that were found for a workload."),
            parts: kinds.map(part).collect(),
        }
    }

    pub(super) fn note(&self, attested: &Result<AttestedProcess, AttestError>, took: Duration) {
        let status = match attested {
            Ok(process) => {
                self.selectors.note(process.selectors().len() as f64);
                CallStatus::OK
            }
            Err(_) => CallStatus::from_code(FAILED),
        };
        self.attestations.note(status, took);
    }

    pub(super) fn note_part(&self, kind: &str, has_succeeded: bool, took: Duration) {
        let status = if has_succeeded { CallStatus::OK } else { CallStatus::from_code(FAILED) };
        if let Some((_, calls)) = self.parts.iter().find(|(known, _)| known == kind) {
            calls.note(status, took);
        }
    }
}

//! py-spiffe: what its X509Svid reads, and whom its TLS package lets in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use finial_testkit::{python, run};
use serde::Deserialize;

use crate::limbo::Verdict;
use crate::place::path;

/// The Python that has both packages.
pub(crate) struct Python {
    program: PathBuf,
}

/// What the two packages say of a case.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Verdicts {
    /// `spiffe`: whether it is an SVID, whoever signed it.
    pub(crate) document: Verdict,
    /// `spiffetls`: whether a peer that presents it is let in. None when there is no key to present it with.
    pub(crate) handshake: Option<Verdict>,
}

/// What it answers: their versions, and the verdicts by case.
#[derive(Deserialize)]
pub(crate) struct Answer {
    pub(crate) spiffe: String,
    pub(crate) spiffe_tls: String,
    pub(crate) verdicts: BTreeMap<String, Verdicts>,
}

impl Python {
    /// None when the packages are not installed.
    pub(crate) fn found() -> Option<Self> {
        python("spiffe, spiffetls").map(|program| Self { program })
    }

    /// Judges every case of a corpus.
    pub(crate) fn judge(&self, corpus: &Path) -> anyhow::Result<Answer> {
        let script = path("tests/conformance/py/judge.py");
        let answer = run(Command::new(&self.program).arg(script).arg(corpus)).expect_success();
        serde_json::from_str(&answer).context("py-spiffe gave no verdicts")
    }
}

//! What is known of one output.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Vitals;

/// What an output holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputKind {
    /// An X.509-SVID with its key and bundle.
    X509,
    /// A JWT-SVID.
    Jwt,
    /// JWT bundles.
    JwtBundle,
}

/// Notes how the writing of one output went.
#[derive(Clone, Debug)]
pub(crate) struct OutputVitals {
    vitals: Vitals,
    index: usize,
}

#[derive(Debug)]
pub(super) struct OutputState {
    pub(super) kind: OutputKind,
    pub(super) file: PathBuf,
    pub(super) status: WriteStatus,
    pub(super) written: u64,
    pub(super) failed: u64,
    pub(super) written_at: Option<SystemTime>,
    pub(super) expires: Option<SystemTime>,
}

/// How the last write went; the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WriteStatus {
    Written,
    Unwritten,
    Failed,
}

impl OutputVitals {
    pub(super) fn new(vitals: Vitals, index: usize) -> Self {
        Self { vitals, index }
    }

    /// It stands in its place, good until `expires` if it ends at all.
    pub(crate) fn written(&self, expires: Option<SystemTime>) {
        let now = self.vitals.clock.now();
        self.note(|output| {
            output.status = WriteStatus::Written;
            output.written += 1;
            output.written_at = Some(now);
            output.expires = expires;
        });
    }

    /// It could not be brought to its place; what stood there may still do.
    pub(crate) fn failed(&self) {
        self.note(|output| {
            output.status = WriteStatus::Failed;
            output.failed += 1;
        });
    }

    fn note(&self, change: impl FnOnce(&mut OutputState)) {
        self.vitals.state.send_modify(|state| change(&mut state.outputs[self.index]));
    }
}

impl OutputState {
    pub(super) fn new(kind: OutputKind, file: &Path) -> Self {
        Self {
            kind,
            file: file.to_owned(),
            status: WriteStatus::Unwritten,
            written: 0,
            failed: 0,
            written_at: None,
            expires: None,
        }
    }

    pub(super) fn is_written(&self) -> bool {
        self.status == WriteStatus::Written
    }

    pub(super) fn has_failed(&self) -> bool {
        self.status == WriteStatus::Failed
    }

    pub(super) fn was_written(&self) -> bool {
        self.written > 0
    }
}

impl OutputKind {
    /// As the configuration has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X509 => "x509",
            Self::Jwt => "jwt",
            Self::JwtBundle => "jwt_bundle",
        }
    }
}

impl WriteStatus {
    /// In the ancestor's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Unwritten => "unwritten",
            Self::Failed => "failed",
        }
    }
}

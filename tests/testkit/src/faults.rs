//! Faults in the file system of another program: which of its writes fails, and how.

use std::fmt;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::NamedTempFile;

use crate::{place, run};

/// The report's size, as `faults.c` has it: a count, and a text that ends with a zero.
const REPORT: usize = 256;

/// What becomes of a call that would change a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The program is killed instead.
    Kill,
    /// The program is killed when half of it is written.
    Torn,
    /// The disk is full (`ENOSPC`), when half of it is written.
    Full,
    /// The disk is broken (`EIO`), when half of it is written.
    Broken,
    /// The file system is read-only (`EROFS`).
    ReadOnly,
}

impl Fault {
    /// Whether it ends the program.
    pub fn is_deadly(self) -> bool {
        matches!(self, Self::Kill | Self::Torn)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Torn => "torn",
            Self::Full => "full",
            Self::Broken => "broken",
            Self::ReadOnly => "read-only",
        })
    }
}

/// The calls of a program, and of those started after it, that change something in a folder: counted, and some of them
/// met by a fault.
#[derive(Debug)]
pub struct Faults {
    folder: PathBuf,
    fault: Fault,
    calls: RangeInclusive<u64>,
    report: NamedTempFile,
}

impl Faults {
    /// The calls with these numbers, from 1, meet `fault`; with `0..=0` none does, and all are counted.
    ///
    /// # Panics
    /// When there is no room for its report.
    pub fn new(folder: impl Into<PathBuf>, fault: Fault, calls: RangeInclusive<u64>) -> Self {
        let report = NamedTempFile::new().expect("a file for the report");
        fs::write(report.path(), [0; REPORT]).expect("an empty report");
        Self { folder: folder.into(), fault, calls, report }
    }

    /// Lets `command` meet them when it is started.
    ///
    /// # Panics
    /// When the C compiler, which links Rust programs too, is missing.
    pub fn strike(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library());
        command.env("FINIAL_FAULT_FOLDER", &self.folder).env("FINIAL_FAULT_REPORT", self.report.path());
        command.env("FINIAL_FAULT_KIND", self.fault.to_string());
        command.env("FINIAL_FAULT_FIRST", self.calls.start().to_string());
        command.env("FINIAL_FAULT_LAST", self.calls.end().to_string());
    }

    /// How many calls there have been.
    ///
    /// # Panics
    /// When somebody took the report away.
    pub fn count(&self) -> u64 {
        let report = fs::read(self.report.path()).expect("the report");
        report.first_chunk().copied().map_or(0, u64::from_ne_bytes)
    }

    /// The first call that met the fault, such as `rename /keys.json`; empty when none has.
    ///
    /// # Panics
    /// When somebody took the report away.
    pub fn struck(&self) -> String {
        let report = fs::read(self.report.path()).expect("the report");
        let text = report.get(size_of::<u64>()..).unwrap_or_default();
        String::from_utf8_lossy(text.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
    }
}

/// The library that stands before the C library, made once for each test binary.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = place::target();
        let (source, made) = (folder.join("finial-faults.c"), folder.join("finial-faults.so"));
        // Test binaries run side by side: each puts the same in place, whole.
        let fresh = folder.join(format!("finial-faults.{}.so", std::process::id()));
        fs::write(&source, include_str!("faults.c")).expect("the source of the library");
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&fresh).arg(&source);
        run(&mut compiler).expect_success();
        fs::rename(&fresh, &made).expect("the library in its place");
        made
    })
}

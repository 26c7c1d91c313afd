//! `finial helper exec`: a program that starts once its files are there, and with which the helper ends.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use super::{Which, begin, run};
use crate::logging::Logging;

/// Starts a program once every file was written, and keeps the files fresh for as long as it runs. Every signal goes to the
/// program, new files are told by `renew_signal` of the configuration, and the program's exit code is the helper's. As
/// the first process of a container the helper also reaps orphans.
#[derive(Args)]
pub(crate) struct Exec {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    logging: Logging,
    /// The program, and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

impl Exec {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut config = begin(&self.logging, &self.which)?;
        if !config.daemon_mode {
            bail!("daemon_mode is false: a program that is started needs files that stay fresh");
        }
        let mut words = self.program.into_iter();
        if let Some(program) = words.next() {
            config.hooks.set_program(program, words.collect())?;
        }
        run(config)
    }
}

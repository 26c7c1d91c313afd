//! `finial completions` and `finial man`: what a package installs beside the binary.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;

use crate::output;

#[derive(Args)]
#[command(after_help = "For bash: finial completions bash >/usr/share/bash-completion/completions/finial")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args)]
#[command(after_help = "For this user: finial man -dir ~/.local/share/man/man1, then man finial-server-run")]
pub(crate) struct Man {
    /// The folder of the pages, which is made if it is missing
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl Completions {
    pub(crate) fn run(self, program: &mut Command) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, program, "finial", &mut script);
        output::print(String::from_utf8_lossy(&script));
    }
}

impl Man {
    pub(crate) fn run(self, program: Command) -> Result<()> {
        let folder = self.dir.display();
        std::fs::create_dir_all(&self.dir).with_context(|| format!("create the folder {folder}"))?;
        clap_mangen::generate_to(program, &self.dir)
            .with_context(|| format!("write the manual pages to {folder}"))?;
        output::print(format_args!("The manual begins at {folder}/finial.1\n"));
        Ok(())
    }
}

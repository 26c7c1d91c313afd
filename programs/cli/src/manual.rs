//! `finial completions` and `finial man`: what a package installs beside the binary.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use crate::{Finial, output, spire};

#[derive(Args)]
#[command(after_help = "For bash: finial completions bash >/usr/share/bash-completion/completions/finial")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
    /// The name by which the binary is called: finial, spire-server or spire-agent
    #[arg(long, value_name = "NAME", default_value = "finial", value_parser = ["finial", "spire-server", "spire-agent"])]
    name: String,
}

/// The programs that this binary is, with their commands. The others read their line by themselves.
fn programs() -> [Command; 3] {
    [Finial::command(), spire::server_command(), spire::agent_command()]
}

#[derive(Args)]
#[command(after_help = "For this user: finial man -dir ~/.local/share/man/man1, then man finial-server-run")]
pub(crate) struct Man {
    /// The folder of the pages, which is made if it is missing
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl Completions {
    pub(crate) fn run(self) {
        let mut script = Vec::new();
        for mut program in programs().into_iter().filter(|program| program.get_name() == self.name) {
            clap_complete::generate(self.shell, &mut program, &self.name, &mut script);
        }
        output::print(String::from_utf8_lossy(&script));
    }
}

impl Man {
    pub(crate) fn run(self) -> Result<()> {
        let folder = self.dir.display();
        std::fs::create_dir_all(&self.dir).with_context(|| format!("create the folder {folder}"))?;
        for program in programs() {
            clap_mangen::generate_to(program, &self.dir)
                .with_context(|| format!("write the manual pages to {folder}"))?;
        }
        output::print(format_args!("The manual begins at {folder}/finial.1\n"));
        Ok(())
    }
}

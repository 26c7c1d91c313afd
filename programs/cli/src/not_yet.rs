//! Commands of SPIRE that this version does not have: refused by name, whatever follows them.

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct NotYet {
    /// Verb and flags
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<String>,
}

impl NotYet {
    pub(crate) fn refuse(&self, noun: &str) -> Result<()> {
        let verb = self.words.iter().find(|word| !word.starts_with('-'));
        let command = verb.map_or_else(|| noun.to_owned(), |verb| format!("{noun} {verb}"));
        bail!("{command} is not supported yet: docs/compatibility.md tells what is")
    }
}

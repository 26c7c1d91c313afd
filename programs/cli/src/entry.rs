//! `finial entry …`: registration entries.

mod create;
mod data;
mod delete;
mod fields;
mod filter;
mod show;
mod update;

use anyhow::Result;
use clap::Subcommand;

pub(crate) use filter::On;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Give an identity to the workloads that show these selectors
    Create(create::Create),
    /// Show entries
    Show(show::Show),
    /// Replace the fields of an entry
    Update(update::Update),
    /// Delete entries
    Delete(delete::Delete),
    /// Count entries
    Count(show::Count),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Create(command) => command.run().await,
            Self::Show(command) => command.run().await,
            Self::Update(command) => command.run().await,
            Self::Delete(command) => command.run().await,
            Self::Count(command) => command.run().await,
        }
    }
}

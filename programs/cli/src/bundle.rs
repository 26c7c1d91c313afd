//! `finial bundle …`: the server's trust bundle, and those of the trust domains it federates with.

mod count;
mod delete;
mod list;
mod set;
mod show;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use finial_identity::Bundle;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print the server's trust bundle
    Show(show::Show),
    /// Print the bundles of other trust domains
    List(list::List),
    /// Store the bundle of another trust domain
    Set(set::Set),
    /// Delete the bundle of another trust domain
    Delete(delete::Delete),
    /// Count bundles, the server's own among them
    Count(count::Count),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Show(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Set(command) => command.run().await,
            Self::Delete(command) => command.run().await,
            Self::Count(command) => command.run().await,
        }
    }
}

/// How a bundle is written.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// PEM certificates
    Pem,
    /// The SPIFFE bundle document
    Spiffe,
}

impl Format {
    fn write(self, bundle: &Bundle) -> String {
        match self {
            Self::Pem => bundle.to_pem(),
            Self::Spiffe => format!("{}\n", bundle.to_spiffe_json()),
        }
    }
}

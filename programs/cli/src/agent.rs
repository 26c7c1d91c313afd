//! `finial agent …`: run one, and manage those of a server.

mod explain;
mod list;
mod manage;
mod purge;
mod run;

use anyhow::Result;
use clap::Subcommand;

use crate::{connection::AdminSocket, debug, healthcheck, logger};

#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Here(Here),
    #[command(flatten)]
    OfServer(OfServer),
}

/// What concerns the agent on this node.
#[derive(Subcommand)]
pub(crate) enum Here {
    /// Run the agent on this node
    Run(run::Run),
    /// Check the configuration and exit
    Validate(run::Validate),
    /// Ask the agent on this node how it is
    Healthcheck(healthcheck::Agent),
    /// Say why a process of this node has the identities that it has, or none
    Explain(explain::Explain),
    /// How much the agent on this node logs
    #[command(subcommand)]
    Logger(logger::Command<AdminSocket>),
    /// How the agent on this node is
    #[command(subcommand)]
    Debug(debug::Agent),
}

/// What concerns the agents that a server knows.
#[derive(Subcommand)]
pub(crate) enum OfServer {
    /// List the agents that a server knows
    List(list::List),
    /// Show one agent
    Show(manage::Show),
    /// Forget an agent: it must attest again
    Evict(manage::Evict),
    /// Shut an agent out until it is evicted
    Ban(manage::Ban),
    /// Count the agents that a server knows
    Count(list::Count),
    /// Forget the agents that ended long ago and can attest again
    Purge(purge::Purge),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Here(command) => command.run().await,
            Self::OfServer(command) => command.run().await,
        }
    }
}

impl Here {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Run(command) => command.run().await,
            Self::Validate(command) => command.run(),
            Self::Healthcheck(command) => command.run().await,
            Self::Explain(command) => command.run().await,
            Self::Logger(command) => command.run().await,
            Self::Debug(command) => command.run().await,
        }
    }
}

impl OfServer {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::List(command) => command.run().await,
            Self::Show(command) => command.run().await,
            Self::Evict(command) => command.run().await,
            Self::Ban(command) => command.run().await,
            Self::Count(command) => command.run().await,
            Self::Purge(command) => command.run().await,
        }
    }
}

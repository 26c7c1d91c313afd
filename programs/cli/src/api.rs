//! `finial api …`: the Workload API, asked as a workload would ask it.

mod jwt;
mod x509;

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use finial_daemon::{Clock, go};
use finial_wire::client::WorkloadClient;

use crate::{connection::AgentSocket, output::Output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Fetch an identity: X.509-SVIDs unless told otherwise
    #[command(args_conflicts_with_subcommands = true)]
    Fetch(Fetch),
    /// Validate a token
    #[command(subcommand)]
    Validate(Validate),
    /// Print the X.509-SVIDs each time they change
    Watch(x509::Watch),
}

#[derive(Args)]
#[group(skip)]
pub(crate) struct Fetch {
    #[command(subcommand)]
    kind: Option<Kind>,
    #[command(flatten)]
    x509: x509::Fetch,
}

#[derive(Subcommand)]
enum Kind {
    /// Fetch X.509-SVIDs, with their keys and bundles
    X509(x509::Fetch),
    /// Fetch JWT-SVIDs for an audience
    Jwt(jwt::Fetch),
}

#[derive(Subcommand)]
pub(crate) enum Validate {
    /// Validate a JWT-SVID
    Jwt(jwt::Validate),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Fetch(Fetch { kind: Some(Kind::Jwt(command)), .. }) => command.run().await,
            Self::Fetch(Fetch { kind: Some(Kind::X509(command)), .. }) => command.run().await,
            Self::Fetch(Fetch { kind: None, x509 }) => x509.run().await,
            Self::Validate(Validate::Jwt(command)) => command.run().await,
            Self::Watch(command) => command.run().await,
        }
    }
}

/// What each of these commands takes.
#[derive(Args)]
struct Ask {
    #[command(flatten)]
    socket: AgentSocket,
    /// How long to wait for the answer, as in 500ms or 1m
    #[arg(long, default_value = "5s", value_name = "DURATION", value_parser = go::parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    output: Output,
}

impl Ask {
    async fn client(&self) -> Result<WorkloadClient> {
        Ok(WorkloadClient::new(self.socket.connect().await?))
    }

    /// Waits for an answer, but no longer than `-timeout`.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        // No time is none, even for an agent that answers within the grain of a timer.
        if !self.timeout.is_zero()
            && let Ok(answer) = Clock::system().timeout(self.timeout, answer).await
        {
            return answer;
        }
        anyhow::bail!("no answer within {}; give a longer -timeout", go::format_duration(self.timeout))
    }
}

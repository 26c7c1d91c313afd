//! `finial token generate`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use finial_identity::SpiffeId;
use finial_wire::{JoinTokenRequest, client::AgentClient};
use serde_json::json;

use crate::{
    connection::{ServerSocket, refused},
    output::Output,
    text,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token with which one agent may attest once
    Generate(Generate),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Generate(command) => command.run().await,
        }
    }
}

#[derive(Args)]
pub(crate) struct Generate {
    /// Life of the token in seconds
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    ttl: u32,
    /// A second SPIFFE ID for the agent that uses the token, to hang entries below
    #[arg(long = "spiffeID", visible_alias = "spiffe-id", value_name = "ID")]
    spiffe_id: Option<String>,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Generate {
    async fn run(self) -> Result<()> {
        if self.ttl == 0 {
            bail!("-ttl 0: a token must live for at least one second");
        }
        let agent_id = self
            .spiffe_id
            .as_ref()
            .map(|id| SpiffeId::parse(id).with_context(|| format!("-spiffeID {id:?}")))
            .transpose()?;
        let alias = agent_id.is_some();
        let request = JoinTokenRequest { ttl: Duration::from_secs(self.ttl.into()), token: None, agent_id };
        let client = AgentClient::new(self.socket.connect().await?);
        let token =
            client.create_join_token(request).await.map_err(refused("failed to create the join token"))?;
        self.output.print(
            format_args!("Token: {}\n", token.value),
            || json!({"value": token.value, "expires_at": text::seconds(Some(token.expires_at))}),
        );
        if !alias && !self.output.is_json() {
            eprintln!("Warning: Missing SPIFFE ID.");
        }
        Ok(())
    }
}

//! `finial agent show`, `evict` and `ban`: one agent of a server.

use anyhow::{Context, Result};
use clap::Args;
use finial_identity::SpiffeId;
use finial_wire::client::AgentClient;
use serde_json::json;

use crate::{
    connection::{ServerSocket, refused},
    output::Output,
    text,
};

#[derive(Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
}

impl Show {
    pub(crate) async fn run(self) -> Result<()> {
        let (client, id) = self.which.connect().await?;
        let agent = client.agent(&id).await.map_err(refused("failed to fetch the agent"))?;
        let mut out = format!("Found an attested agent given its SPIFFE ID\n\n{}", text::node(&agent));
        agent.selectors.iter().for_each(|selector| out += &format!("{:<18}: {selector}\n", "Selectors"));
        self.which.output.print(out, || text::node_json(&agent));
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Evict {
    #[command(flatten)]
    which: Which,
}

impl Evict {
    pub(crate) async fn run(self) -> Result<()> {
        let (client, id) = self.which.connect().await?;
        client.delete_agent(&id).await.map_err(refused("failed to evict the agent"))?;
        self.which.output.print("Agent evicted successfully\n", || json!({}));
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Ban {
    #[command(flatten)]
    which: Which,
}

impl Ban {
    pub(crate) async fn run(self) -> Result<()> {
        let (client, id) = self.which.connect().await?;
        client.ban_agent(&id).await.map_err(refused("failed to ban the agent"))?;
        self.which.output.print("Agent banned successfully\n", || json!({}));
        Ok(())
    }
}

#[derive(Args)]
struct Which {
    /// SPIFFE ID of the agent
    #[arg(long = "spiffeID", visible_alias = "spiffe-id", value_name = "ID")]
    spiffe_id: Option<String>,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Which {
    async fn connect(&self) -> Result<(AgentClient, SpiffeId)> {
        let id = self.spiffe_id.as_deref().context("a SPIFFE ID is required: give -spiffeID")?;
        let id = SpiffeId::parse(id).with_context(|| format!("-spiffeID {id:?}"))?;
        Ok((AgentClient::new(self.socket.connect().await?), id))
    }
}

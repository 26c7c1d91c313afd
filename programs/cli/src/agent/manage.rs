//! `finial agent list`, `show` and `evict`: what the server knows of its agents.

use anyhow::{Context, Result};
use clap::Args;
use finial_identity::{Selector, SpiffeId};
use finial_wire::{AgentFilter, SelectorMatch, SetMatch, client::AgentClient};
use serde_json::json;

use crate::{
    connection::{ServerSocket, refused},
    output::Output,
    text,
};

#[derive(Args)]
pub(crate) struct List {
    /// Only agents with these selectors, as type:value; give it several times
    #[arg(long = "selector", value_name = "TYPE:VALUE")]
    selectors: Vec<String>,
    /// Only agents attested in this way
    #[arg(long = "attestationType", visible_alias = "attestation-type")]
    attestation_type: Option<String>,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl List {
    pub(crate) async fn run(self) -> Result<()> {
        let selectors = self
            .selectors
            .iter()
            .map(|text| Selector::parse(text).with_context(|| format!("-selector {text:?}")))
            .collect::<Result<Vec<_>>>()?;
        let filter = AgentFilter {
            selectors: (!selectors.is_empty()).then(|| SelectorMatch {
                selectors: selectors.into_iter().collect(),
                rule: SetMatch::Superset,
            }),
            attestation_type: self.attestation_type,
            ..AgentFilter::default()
        };
        let client = AgentClient::new(self.socket.connect().await?);
        let agents = client.list_agents(filter).await.map_err(refused("failed to list the agents"))?;
        let mut out = match agents.len() {
            0 => "No attested agents found\n".to_owned(),
            n => format!("Found {}:\n\n", text::counted(n, "attested agent", "attested agents")),
        };
        agents.iter().for_each(|agent| out += &format!("{}\n", text::node(agent)));
        self.output.print(out, || {
            json!({"agents": agents.iter().map(text::node_json).collect::<Vec<_>>(), "next_page_token": ""})
        });
        Ok(())
    }
}

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
struct Which {
    /// SPIFFE ID of the agent
    #[arg(long = "spiffeID", visible_alias = "spiffe-id", value_name = "ID")]
    spiffe_id: String,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Which {
    async fn connect(&self) -> Result<(AgentClient, SpiffeId)> {
        let id =
            SpiffeId::parse(&self.spiffe_id).with_context(|| format!("-spiffeID {:?}", self.spiffe_id))?;
        Ok((AgentClient::new(self.socket.connect().await?), id))
    }
}

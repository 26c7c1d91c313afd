//! `finial agent purge`: forget the agents that ended long ago and can attest again.

#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use finial_daemon::{Clock, go};
use finial_identity::SpiffeId;
use finial_wire::{AgentFilter, client::AgentClient};
use serde_json::{Value, json};
use tonic::Status;

use crate::{
    connection::{ServerSocket, answered, refused},
    output::{Incomplete, Output},
    text,
};

#[derive(Args)]
pub(crate) struct Purge {
    /// For how long the SVID of an agent must have been over
    #[arg(long = "expiredFor", visible_alias = "expired-for", value_name = "DURATION", default_value = "720h", value_parser = go::parse_duration)]
    expired_for: Duration,
    /// Say which they are, and forget none
    #[arg(long = "dryRun", visible_alias = "dry-run", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    dry_run: bool,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

/// An agent that ended, and what became of it; nothing in a dry run.
struct Ended {
    id: SpiffeId,
    outcome: Option<Result<(), Status>>,
}

impl Purge {
    pub(crate) async fn run(self) -> Result<()> {
        let client = AgentClient::new(self.socket.connect().await?);
        let filter = AgentFilter { can_reattest: Some(true), ..AgentFilter::default() };
        let agents = client.list_agents(filter).await.map_err(refused("failed to list agents"))?;
        let now = Clock::system().now();
        let mut ended = Vec::new();
        for agent in agents {
            let over_for = now.duration_since(agent.expires_at).unwrap_or_default();
            if over_for <= self.expired_for {
                continue;
            }
            let outcome = if self.dry_run { None } else { Some(client.delete_agent(&agent.id).await) };
            ended.push(Ended { id: agent.id, outcome });
        }
        self.output.print(
            text_of(&ended, self.dry_run),
            || json!({"expired_agents": ended.iter().map(Ended::json).collect::<Vec<_>>()}),
        );
        if ended.iter().any(|agent| matches!(agent.outcome, Some(Err(_)))) {
            bail!(Incomplete("failed to purge one or more agents"));
        }
        Ok(())
    }
}

fn text_of(ended: &[Ended], is_dry_run: bool) -> String {
    if ended.is_empty() {
        return "No agents to purge.\n".to_owned();
    }
    let found = text::counted(ended.len(), "expired agent", "expired agents");
    let mut out = format!("Found {found}\n\n");
    let line = |label: &str, value: &dyn std::fmt::Display| format!("{label:<18}: {value}\n");
    let listed = |title: &str, is_one: &dyn Fn(&Ended) -> bool| {
        let lines = ended.iter().filter(|agent| is_one(agent)).map(|agent| {
            let error = agent.error().map(|error| line("Error", &error)).unwrap_or_default();
            line("SPIFFE ID", &agent.id) + &error
        });
        let lines: String = lines.collect();
        if lines.is_empty() { lines } else { format!("{title}:\n{lines}") }
    };
    if is_dry_run {
        out += &listed("\nAgents that can be purged", &|_| true);
        return out;
    }
    out += &listed("Agents purged", &|agent| matches!(agent.outcome, Some(Ok(()))));
    out += &listed("Agents not purged", &|agent| matches!(agent.outcome, Some(Err(_))));
    out
}

impl Ended {
    fn error(&self) -> Option<String> {
        self.outcome.clone()?.err().map(|status| answered(status).to_string())
    }

    fn json(&self) -> Value {
        let mut json =
            json!({"agent_id": self.id.to_string(), "deleted": matches!(self.outcome, Some(Ok(())))});
        if let Some(error) = self.error() {
            json["error"] = error.into();
        }
        json
    }
}

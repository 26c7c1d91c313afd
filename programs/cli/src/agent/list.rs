//! `finial agent list` and `count`: which agents a server knows.

use anyhow::{Context, Result};
use clap::{Args, builder::PossibleValuesParser};
use finial_daemon::go;
use finial_identity::Selector;
use finial_wire::{AgentFilter, SelectorMatch, client::AgentClient};
use serde_json::json;

use crate::{
    connection::{ServerSocket, refused},
    entry::On,
    output::Output,
    text,
};

#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl List {
    pub(crate) async fn run(self) -> Result<()> {
        let filter = self.filter.parse()?;
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
pub(crate) struct Count {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Count {
    pub(crate) async fn run(self) -> Result<()> {
        let filter = self.filter.parse()?;
        let client = AgentClient::new(self.socket.connect().await?);
        let count = client.count_agents(filter).await.map_err(refused("failed to count the agents"))?;
        let noun = if count == 1 { "agent" } else { "agents" };
        self.output.print(format_args!("{count} attested {noun}\n"), || json!({"count": count}));
        Ok(())
    }
}

/// The flags that choose agents.
#[derive(Args)]
struct Filter {
    /// Only agents with these selectors, as type:value; give it several times
    #[arg(long = "selector", value_name = "TYPE:VALUE")]
    selectors: Vec<String>,
    /// How -selector is compared
    #[arg(long = "matchSelectorsOn", visible_alias = "match-selectors-on", value_enum, default_value_t = On::Superset)]
    match_selectors_on: On,
    /// Only agents attested in this way
    #[arg(long = "attestationType", visible_alias = "attestation-type")]
    attestation_type: Option<String>,
    /// Only agents that can attest again, or that cannot
    #[arg(long = "canReattest", visible_alias = "can-reattest", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = booleans())]
    can_reattest: Option<String>,
    /// Only agents that are banned, or that are not
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = booleans())]
    banned: Option<String>,
    /// Only agents whose SVID ends before: 2006-01-02 15:04:05 -0700 -07
    #[arg(long = "expiresBefore", visible_alias = "expires-before", value_name = "TIME")]
    expires_before: Option<String>,
}

fn booleans() -> PossibleValuesParser {
    PossibleValuesParser::new(["true", "false"])
}

impl Filter {
    fn parse(&self) -> Result<AgentFilter> {
        let selectors = self
            .selectors
            .iter()
            .map(|text| Selector::parse(text).with_context(|| format!("-selector {text:?}")))
            .collect::<Result<Vec<_>>>()?;
        let is_true = |text: &Option<String>| text.as_ref().map(|text| text == "true");
        Ok(AgentFilter {
            attestation_type: self.attestation_type.clone(),
            selectors: (!selectors.is_empty()).then(|| SelectorMatch {
                selectors: selectors.into_iter().collect(),
                rule: self.match_selectors_on.into(),
            }),
            banned: is_true(&self.banned),
            can_reattest: is_true(&self.can_reattest),
            expires_before: self
                .expires_before
                .as_deref()
                .map(|text| go::parse_time(text).context("-expiresBefore"))
                .transpose()?,
        })
    }
}

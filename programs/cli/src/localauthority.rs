//! `finial localauthority x509 …` and `jwt …`: the authorities of this server, by hand.

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use finial_daemon::go;
use finial_wire::{
    AuthorityState, AuthorityStates, LocalAuthorityKind as Kind, client::LocalAuthorityClient,
};
use serde_json::{Map, Value, json};
use tonic::Status;

use crate::{
    connection::{ServerSocket, answered},
    output::Output,
    text,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// The authorities that sign X.509-SVIDs
    #[command(subcommand)]
    X509(Verb),
    /// The authorities that sign JWT-SVIDs
    #[command(subcommand)]
    Jwt(Verb),
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Show the active, the prepared and the old authority
    Show(Ask),
    /// Make the next authority and publish it in the bundle
    Prepare(Ask),
    /// Sign with the prepared authority from now on
    Activate(One),
    /// Tell everybody to stop using what the old authority signed
    Taint(One),
    /// Remove the old authority from the bundle
    Revoke(One),
}

#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct One {
    /// The authority, as `localauthority … show` names it
    #[arg(long = "authorityID", visible_alias = "authority-id", value_name = "ID")]
    authority_id: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

/// A step in the life of an authority that has a name.
#[derive(Clone, Copy)]
enum Step {
    Activate,
    Taint,
    Revoke,
}

impl Step {
    /// The word for it, and what the authority is then.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Activate => ("activate", "Activated"),
            Self::Taint => ("taint", "Tainted"),
            Self::Revoke => ("revoke", "Revoked"),
        }
    }
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        let (kind, verb) = match self {
            Self::X509(verb) => (Kind::X509, verb),
            Self::Jwt(verb) => (Kind::Jwt, verb),
        };
        match verb {
            Verb::Show(ask) => ask.show(kind).await,
            Verb::Prepare(ask) => ask.prepare(kind).await,
            Verb::Activate(one) => one.turn(kind, Step::Activate).await,
            Verb::Taint(one) => one.turn(kind, Step::Taint).await,
            Verb::Revoke(one) => one.turn(kind, Step::Revoke).await,
        }
    }
}

impl Ask {
    async fn client(&self) -> Result<LocalAuthorityClient> {
        Ok(LocalAuthorityClient::new(self.socket.connect().await?))
    }

    async fn show(self, kind: Kind) -> Result<()> {
        let client = self.client().await?;
        let states = match kind {
            Kind::X509 => client.x509_authorities().await,
            Kind::Jwt => client.jwt_authorities().await,
        };
        let states = states.map_err(answered)?;
        self.output.print(shown(kind, &states), || {
            let states = [("active", &states.active), ("prepared", &states.prepared), ("old", &states.old)];
            let there = states.iter().filter_map(|(name, state)| Some((*name, state.as_ref()?)));
            there.map(|(name, state)| (name.to_owned(), json(state))).collect::<Map<_, _>>().into()
        });
        Ok(())
    }

    async fn prepare(self, kind: Kind) -> Result<()> {
        let client = self.client().await?;
        let prepared = match kind {
            Kind::X509 => client.prepare_x509().await,
            Kind::Jwt => client.prepare_jwt().await,
        };
        self.tell(kind, ("prepare", "Prepared"), prepared)
    }

    fn tell(
        &self,
        kind: Kind,
        (verb, done): (&str, &str),
        outcome: Result<AuthorityState, Status>,
    ) -> Result<()> {
        let name = name(kind);
        let state = outcome.map_err(|status| {
            let cause = answered(status);
            anyhow!("could not {verb} {name} authority: {cause}")
        })?;
        self.output.print(block(kind, done, &state), || {
            Map::from_iter([(format!("{}_authority", done.to_lowercase()), json(&state))]).into()
        });
        Ok(())
    }
}

impl One {
    async fn turn(self, kind: Kind, step: Step) -> Result<()> {
        let Some(id) = self.authority_id.filter(|id| !id.is_empty()) else {
            bail!("an authority ID is required: give -authorityID, as `localauthority … show` names it");
        };
        let client = self.ask.client().await?;
        let outcome = match (step, kind) {
            (Step::Activate, Kind::X509) => client.activate_x509(id).await,
            (Step::Activate, Kind::Jwt) => client.activate_jwt(id).await,
            (Step::Taint, Kind::X509) => client.taint_x509(id).await,
            (Step::Taint, Kind::Jwt) => client.taint_jwt(id).await,
            (Step::Revoke, Kind::X509) => client.revoke_x509(id).await,
            (Step::Revoke, Kind::Jwt) => client.revoke_jwt(id).await,
        };
        self.ask.tell(kind, step.words(), outcome)
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::X509 => "X.509",
        Kind::Jwt => "JWT",
    }
}

fn shown(kind: Kind, states: &AuthorityStates) -> String {
    let part = |state: &str, authority: &Option<AuthorityState>| match authority {
        Some(authority) => block(kind, state, authority),
        None => {
            let name = name(kind);
            format!("{state} {name} authority:\n  No {} {name} authority found\n", state.to_lowercase())
        }
    };
    [part("Active", &states.active), part("Prepared", &states.prepared), part("Old", &states.old)].join("\n")
}

fn block(kind: Kind, done: &str, state: &AuthorityState) -> String {
    let upstream = match (kind, &state.upstream_subject_key_id) {
        (Kind::Jwt, _) => String::new(),
        (Kind::X509, Some(id)) => format!("  Upstream authority Subject Key ID: {id}\n"),
        (Kind::X509, None) => "  Upstream authority ID: No upstream authority\n".to_owned(),
    };
    let expires_at = go::format_time(state.expires_at);
    format!(
        "{done} {} authority:\n  Authority ID: {}\n  Expires at: {expires_at}\n{upstream}",
        name(kind),
        state.id
    )
}

fn json(state: &AuthorityState) -> Value {
    json!({
        "authority_id": state.id,
        "expires_at": text::seconds(Some(state.expires_at)),
        "upstream_authority_subject_key_id": state.upstream_subject_key_id.clone().unwrap_or_default(),
    })
}

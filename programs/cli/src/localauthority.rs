//! `finial localauthority x509 …`: the authorities of this server, by hand.

use anyhow::Result;
use clap::{Args, Subcommand};
use finial_daemon::go;
use finial_wire::{AuthorityState, client::LocalAuthorityClient};
use serde_json::{Value, json};

use crate::{
    connection::{ServerSocket, refused},
    output::Output,
    text,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// The authorities that sign X.509-SVIDs
    #[command(subcommand)]
    X509(X509),
}

#[derive(Subcommand)]
pub(crate) enum X509 {
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
    /// The authority, as `localauthority x509 show` names it
    #[arg(long = "authorityID", visible_alias = "authority-id", value_name = "ID")]
    authority_id: String,
    #[command(flatten)]
    ask: Ask,
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        let Self::X509(verb) = self;
        match verb {
            X509::Show(ask) => ask.show().await,
            X509::Prepare(ask) => ask.prepare().await,
            X509::Activate(one) => one.activate().await,
            X509::Taint(one) => one.taint().await,
            X509::Revoke(one) => one.revoke().await,
        }
    }
}

impl Ask {
    async fn client(&self) -> Result<LocalAuthorityClient> {
        Ok(LocalAuthorityClient::new(self.socket.connect().await?))
    }

    async fn show(self) -> Result<()> {
        let states = self
            .client()
            .await?
            .x509_authorities()
            .await
            .map_err(refused("could not get the authorities"))?;
        let part = |name: &str, state: &Option<AuthorityState>| match state {
            Some(state) => block(&format!("{name} X.509 authority:"), state),
            None => format!("{name} X.509 authority:\n  No {} X.509 authority found\n", name.to_lowercase()),
        };
        let all = [("Active", &states.active), ("Prepared", &states.prepared), ("Old", &states.old)];
        let text: Vec<String> = all.iter().map(|(name, state)| part(name, state)).collect();
        self.output.print(text.join("\n"), || {
            all.iter()
                .filter_map(|(name, state)| Some((name.to_lowercase(), authority_json(state.as_ref()?))))
                .collect::<serde_json::Map<_, _>>()
                .into()
        });
        Ok(())
    }

    async fn prepare(self) -> Result<()> {
        let state = self
            .client()
            .await?
            .prepare_x509()
            .await
            .map_err(refused("could not prepare an X.509 authority"))?;
        self.output.print(
            block("Prepared X.509 authority:", &state),
            || json!({"prepared_authority": authority_json(&state)}),
        );
        Ok(())
    }
}

impl One {
    async fn activate(self) -> Result<()> {
        let client = self.ask.client().await?;
        let state = client
            .activate_x509(self.authority_id)
            .await
            .map_err(refused("could not activate the X.509 authority"))?;
        self.ask.output.print(
            block("Activated X.509 authority:", &state),
            || json!({"activated_authority": authority_json(&state)}),
        );
        Ok(())
    }

    async fn taint(self) -> Result<()> {
        let client = self.ask.client().await?;
        let state = client
            .taint_x509(self.authority_id)
            .await
            .map_err(refused("could not taint the X.509 authority"))?;
        self.ask.output.print(
            block("Tainted X.509 authority:", &state),
            || json!({"tainted_authority": authority_json(&state)}),
        );
        Ok(())
    }

    async fn revoke(self) -> Result<()> {
        let client = self.ask.client().await?;
        let state = client
            .revoke_x509(self.authority_id)
            .await
            .map_err(refused("could not revoke the X.509 authority"))?;
        self.ask.output.print(
            block("Revoked X.509 authority:", &state),
            || json!({"revoked_authority": authority_json(&state)}),
        );
        Ok(())
    }
}

fn block(title: &str, state: &AuthorityState) -> String {
    let upstream = match &state.upstream_subject_key_id {
        Some(id) => format!("  Upstream authority Subject Key ID: {id}"),
        None => "  Upstream authority ID: No upstream authority".to_owned(),
    };
    format!(
        "{title}\n  Authority ID: {}\n  Expires at: {}\n{upstream}\n",
        state.id,
        go::format_time(state.expires_at)
    )
}

fn authority_json(state: &AuthorityState) -> Value {
    json!({
        "authority_id": state.id,
        "expires_at": text::seconds(Some(state.expires_at)),
        "upstream_authority_subject_key_id": state.upstream_subject_key_id.clone().unwrap_or_default(),
    })
}

//! `finial bundle delete`.

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use finial_identity::TrustDomain;
use finial_wire::{BundleDeletion, client::BundleClient};
use serde_json::json;

use crate::{connection::ServerSocket, output::Output};

#[derive(Args)]
pub(crate) struct Delete {
    /// Trust domain of the bundle
    #[arg(long, value_name = "TRUST DOMAIN")]
    id: Option<String>,
    /// What becomes of the entries that federate with it
    #[arg(long, value_enum, default_value_t = Mode::Restrict)]
    mode: Mode,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// While there are any, the bundle stays
    Restrict,
    /// They are deleted too
    Delete,
    /// They federate with it no longer
    Dissociate,
}

impl From<Mode> for BundleDeletion {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Restrict => Self::Restrict,
            Mode::Delete => Self::Delete,
            Mode::Dissociate => Self::Dissociate,
        }
    }
}

impl Delete {
    pub(super) async fn run(self) -> Result<()> {
        let id = self.id.as_ref().context("give -id, the trust domain of the bundle")?;
        let trust_domain = TrustDomain::from_name_or_id(id).with_context(|| format!("-id {id:?}"))?;
        let client = BundleClient::new(self.socket.connect().await?);
        let deleted = client.delete_federated_bundle(&trust_domain, self.mode.into()).await;
        deleted.map_err(|status| {
            let name = trust_domain.name();
            anyhow::anyhow!("failed to delete federated bundle {name:?}: {}", status.message())
        })?;
        self.output.print("bundle deleted.\n", || {
            let status = json!({"code": 0, "message": "OK"});
            json!({"results": [{"status": status, "trust_domain": trust_domain.name()}]})
        });
        Ok(())
    }
}

//! `finial agent debug getinfo` and `finial server debug getinfo`: how a running program is.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use finial_daemon::go;
use finial_identity::CertificateSummary;
use finial_wire::client::{agent_info, server_info};
use serde_json::{Value, json};

use crate::{
    connection::{AdminSocket, ServerSocket, refused},
    output::Output,
    text,
};

#[derive(Subcommand)]
pub(crate) enum Agent {
    /// Print how the agent is
    #[command(name = "getinfo", visible_alias = "get-info")]
    GetInfo(OfAgent),
}

#[derive(Subcommand)]
pub(crate) enum Server {
    /// Print how the server is
    #[command(name = "getinfo", visible_alias = "get-info")]
    GetInfo(OfServer),
}

#[derive(Args)]
pub(crate) struct OfAgent {
    #[command(flatten)]
    socket: AdminSocket,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct OfServer {
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Agent {
    pub(crate) async fn run(self) -> Result<()> {
        let Self::GetInfo(ask) = self;
        let info = agent_info(ask.socket.connect().await?).await;
        let info = info.map_err(refused("failed to ask the agent"))?;
        let last_sync = info.last_sync.map_or_else(|| "(never)".to_owned(), go::format_rfc3339);
        let mut out = String::from("Agent Debug Info:\n");
        for (label, value) in [
            ("Uptime", uptime(info.uptime)),
            ("Last Sync Success", last_sync),
            ("Cached X.509 SVIDs", info.x509_svids.to_string()),
            ("Cached JWT SVIDs", info.jwt_svids.to_string()),
            ("Cached SVID Store X.509 SVIDs", info.stored_x509_svids.to_string()),
        ] {
            out += &format!("  {:<32} {value}\n", format!("{label}:"));
        }
        out += &chain(&info.svid_chain);
        ask.output.print(out, || {
            json!({
                "svid_chain": info.svid_chain.iter().map(certificate_json).collect::<Vec<_>>(),
                "uptime": info.uptime.as_secs(),
                "svids_count": info.x509_svids,
                "last_sync_success": text::seconds(info.last_sync),
                "cached_x509_svids_count": info.x509_svids,
                "cached_jwt_svids_count": info.jwt_svids,
                "cached_svidstore_x509_svids_count": info.stored_x509_svids,
            })
        });
        Ok(())
    }
}

impl Server {
    pub(crate) async fn run(self) -> Result<()> {
        let Self::GetInfo(ask) = self;
        let info = server_info(ask.socket.connect().await?).await;
        let info = info.map_err(refused("failed to ask the server"))?;
        let mut out = String::from("Server Debug Info:\n");
        for (label, value) in [
            ("Uptime", uptime(info.uptime)),
            ("Registered Agents", info.agents.to_string()),
            ("Registration Entries", info.entries.to_string()),
            ("Federated Bundles", info.federated_bundles.to_string()),
        ] {
            out += &format!("  {:<24} {value}\n", format!("{label}:"));
        }
        out += &chain(&info.svid_chain);
        ask.output.print(out, || {
            json!({
                "svid_chain": info.svid_chain.iter().map(certificate_json).collect::<Vec<_>>(),
                "uptime": info.uptime.as_secs(),
                "agents_count": info.agents,
                "federated_bundles_count": info.federated_bundles,
                "entries_count": info.entries,
            })
        });
        Ok(())
    }
}

fn uptime(uptime: Duration) -> String {
    go::format_duration(Duration::from_secs(uptime.as_secs()))
}

fn chain(chain: &[CertificateSummary]) -> String {
    let mut out = if chain.is_empty() { String::new() } else { "  SVID Chain:\n".to_owned() };
    for (index, certificate) in chain.iter().enumerate() {
        let id = certificate.id.as_ref().map_or_else(|| "(none)".to_owned(), ToString::to_string);
        out += &format!("    [{index}] SPIFFE ID:  {id}\n");
        out += &format!("        Subject:    {}\n", certificate.subject);
        out += &format!("        Expires At: {}\n", go::format_rfc3339(certificate.not_after));
    }
    out
}

fn certificate_json(certificate: &CertificateSummary) -> Value {
    json!({
        "id": certificate.id.as_ref().map(text::id_json),
        "expires_at": text::seconds(Some(certificate.not_after)),
        "subject": certificate.subject,
    })
}

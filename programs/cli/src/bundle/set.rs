//! `finial bundle set`.

use std::{io::Read, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use finial_identity::{Bundle, TrustDomain};
use finial_wire::client::BundleClient;
use serde_json::json;

use super::Format;
use crate::{
    connection::{ServerSocket, refused},
    output::Output,
    text,
};

/// The most that is read: what a server takes in one request.
const MAX_BYTES: u64 = 4 << 20;

#[derive(Args)]
pub(crate) struct Set {
    /// Trust domain of the bundle
    #[arg(long, value_name = "TRUST DOMAIN")]
    id: Option<String>,
    /// File with the bundle [default: standard input]
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    /// PEM certificates, or a SPIFFE bundle document
    #[arg(long, value_enum, default_value_t = Format::Pem)]
    format: Format,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Set {
    pub(super) async fn run(self) -> Result<()> {
        let id = self.id.as_ref().context("give -id, the trust domain of the bundle")?;
        let trust_domain = TrustDomain::from_name_or_id(id).with_context(|| format!("-id {id:?}"))?;
        let bundle = self.parse(trust_domain, &self.read().context("unable to load bundle data")?)?;
        let client = BundleClient::new(self.socket.connect().await?);
        let stored = client.set_federated_bundle(&bundle).await;
        let stored = stored.map_err(refused("failed to set federated bundle"))?;
        self.output.print("bundle set.\n", || {
            let status = json!({"code": 0, "message": "OK"});
            json!({"results": [{"status": status, "bundle": text::bundle_json(&stored)}]})
        });
        Ok(())
    }

    fn read(&self) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        match &self.path {
            Some(path) => {
                let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
                file.take(MAX_BYTES + 1).read_to_end(&mut data)?;
            }
            None => {
                std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut data)?;
            }
        }
        anyhow::ensure!(data.len() as u64 <= MAX_BYTES, "it has more than {MAX_BYTES} bytes");
        Ok(data)
    }

    fn parse(&self, trust_domain: TrustDomain, data: &[u8]) -> Result<Bundle> {
        match self.format {
            Format::Pem => Bundle::parse_pem(trust_domain, data)
                .context("unable to parse bundle data; a SPIFFE bundle document needs -format spiffe"),
            Format::Spiffe => {
                Bundle::parse_spiffe_json(trust_domain, data).context("unable to parse to spiffe bundle")
            }
        }
    }
}

//! `finial bundle list`.

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

#[derive(Args)]
pub(crate) struct List {
    /// Only the bundle of this trust domain
    #[arg(long, value_name = "TRUST DOMAIN")]
    id: Option<String>,
    /// PEM certificates, or SPIFFE bundle documents
    #[arg(long, value_enum, default_value_t = Format::Pem)]
    format: Format,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl List {
    pub(super) async fn run(self) -> Result<()> {
        let id = self
            .id
            .as_ref()
            .map(|text| TrustDomain::from_name_or_id(text).with_context(|| format!("-id {text:?}")));
        let id = id.transpose()?;
        let client = BundleClient::new(self.socket.connect().await?);
        if let Some(id) = id {
            let bundle = client.federated_bundle(&id).await.map_err(refused("failed to fetch the bundle"))?;
            self.output.print(self.format.write(&bundle), || text::bundle_json(&bundle));
            return Ok(());
        }
        let bundles = client.federated_bundles().await.map_err(refused("failed to list the bundles"))?;
        let titled: Vec<_> = bundles.iter().map(|bundle| self.titled(bundle)).collect();
        self.output.print(titled.join("\n"), || {
            json!({
                "bundles": bundles.iter().map(text::bundle_json).collect::<Vec<_>>(),
                "next_page_token": "",
            })
        });
        Ok(())
    }

    /// The bundle below the name of its trust domain, in a frame.
    fn titled(&self, bundle: &Bundle) -> String {
        let line = "*".repeat(40);
        format!("{line}\n* {}\n{line}\n{}", bundle.trust_domain.name(), self.format.write(bundle))
    }
}

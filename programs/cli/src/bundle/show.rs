//! `finial bundle show`.

use anyhow::Result;
use clap::Args;
use finial_wire::client::BundleClient;

use super::Format;
use crate::{
    connection::{ServerSocket, refused},
    output::Output,
    text,
};

#[derive(Args)]
pub(crate) struct Show {
    /// PEM certificates, or the SPIFFE bundle document
    #[arg(long, value_enum, default_value_t = Format::Pem)]
    format: Format,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Show {
    pub(super) async fn run(self) -> Result<()> {
        let client = BundleClient::new(self.socket.connect().await?);
        let bundle = client.bundle().await.map_err(refused("failed to fetch the bundle"))?;
        self.output.print(self.format.write(&bundle), || text::bundle_json(&bundle));
        Ok(())
    }
}

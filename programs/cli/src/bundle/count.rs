//! `finial bundle count`.

use anyhow::Result;
use clap::Args;
use finial_wire::client::BundleClient;
use serde_json::json;

use crate::{
    connection::{ServerSocket, refused},
    output::Output,
};

#[derive(Args)]
pub(crate) struct Count {
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Count {
    pub(super) async fn run(self) -> Result<()> {
        let client = BundleClient::new(self.socket.connect().await?);
        let count = client.count_bundles().await.map_err(refused("failed to count the bundles"))?;
        let noun = if count == 1 { "bundle" } else { "bundles" };
        self.output.print(format_args!("{count} {noun}\n"), || json!({"count": count}));
        Ok(())
    }
}

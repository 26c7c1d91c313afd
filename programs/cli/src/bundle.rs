//! `finial bundle show`.

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use finial_wire::client::BundleClient;
use serde_json::Value;

use crate::{
    connection::{ServerSocket, refused},
    output::Output,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print the server's trust bundle
    Show(Show),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Show(command) => command.run().await,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Pem,
    Spiffe,
}

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
    async fn run(self) -> Result<()> {
        let client = BundleClient::new(self.socket.connect().await?);
        let bundle = client.bundle().await.map_err(refused("failed to fetch the bundle"))?;
        let document = bundle.to_spiffe_json();
        let text = match self.format {
            Format::Pem => bundle.to_pem(),
            Format::Spiffe => format!("{document}\n"),
        };
        self.output.print(text, || serde_json::from_str(&document).unwrap_or(Value::Null));
        Ok(())
    }
}

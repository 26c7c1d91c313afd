//! `finial jwt mint`: a JWT-SVID by name, for somebody without an agent.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use finial_daemon::{Clock, file};
use finial_identity::Audience;
use finial_wire::client::SvidClient;
use serde_json::json;

use crate::{
    connection::{ServerSocket, refused},
    minted::{self, Wanted},
    output::{self, Output},
    text,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Sign a JWT-SVID without an entry
    Mint(Mint),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        let Self::Mint(command) = self;
        command.run().await
    }
}

#[derive(Args)]
pub(crate) struct Mint {
    #[command(flatten)]
    wanted: Wanted,
    /// Whom the token is for; give it several times
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// Write the token to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Mint {
    async fn run(self) -> Result<()> {
        let id = self.wanted.given()?;
        if self.audience.is_empty() {
            bail!("at least one audience must be specified: give -audience, for whom the token is");
        }
        let id = minted::id(id)?;
        let audience = Audience::new(self.audience.iter().map(String::as_str)).context("-audience")?;
        let client = SvidClient::new(self.socket.connect().await?);
        let asked_at = Clock::system().now();
        let svid = client.mint_jwt_svid(&id, &audience, self.wanted.ttl).await;
        let svid = svid.map_err(refused("unable to mint SVID"))?;
        minted::warn_if_capped("JWT-SVID", asked_at, self.wanted.ttl, svid.expires_at());

        let Some(path) = &self.write else {
            self.output.print(format_args!("{}\n", svid.token()), || {
                json!({"svid": {
                    "token": svid.token(),
                    "id": text::id_json(svid.id()),
                    "expires_at": text::seconds(Some(svid.expires_at())),
                    "issued_at": text::seconds(svid.issued_at()),
                    "hint": svid.hint(),
                }})
            });
            return Ok(());
        };
        file::write(path, svid.token().as_bytes(), 0o600).context("unable to write token")?;
        output::print(format_args!("JWT-SVID written to {}\n", path.display()));
        Ok(())
    }
}

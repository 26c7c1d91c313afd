//! `finial x509 mint`: an X.509-SVID by name, for somebody without an agent.

use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use finial_daemon::{Clock, file};
use finial_identity::{CertificateRequest, KeyKind, PrivateKey};
use finial_wire::client::{BundleClient, SvidClient};
use serde_json::json;

use crate::{
    connection::{ServerSocket, refused},
    minted::{self, Wanted},
    output::{self, Output},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Sign an X.509-SVID for a new key, without an entry
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
    /// A DNS name in it; give it several times
    #[arg(long = "dns", value_name = "NAME")]
    dns_names: Vec<String>,
    /// Write svid.pem, key.pem and bundle.pem to this folder instead of printing them
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Mint {
    async fn run(self) -> Result<()> {
        let id = minted::id(self.wanted.given()?)?;
        let key = PrivateKey::generate(KeyKind::EcP256).context("unable to generate key")?;
        let csr = CertificateRequest::create_to_mint(&key, &id, &self.dns_names);
        let csr = csr.context("unable to generate CSR")?;
        let channel = self.socket.connect().await?;
        let asked_at = Clock::system().now();
        let svid = SvidClient::new(channel.clone()).mint_x509_svid(csr, self.wanted.ttl).await;
        let svid = svid.map_err(refused("unable to mint SVID"))?;
        let bundle = BundleClient::new(channel).bundle().await.map_err(refused("unable to get bundle"))?;
        minted::warn_if_capped("X509-SVID", asked_at, self.wanted.ttl, svid.not_after());

        let Some(folder) = &self.write else {
            let text = format!(
                "X509-SVID:\n{}\nPrivate key:\n{}\nRoot CAs:\n{}\n",
                svid.to_pem(),
                *key.to_pem(),
                bundle.to_pem()
            );
            let encoded = |der: &[u8]| STANDARD.encode(der);
            self.output.print(text, || {
                let chain = svid.chain().iter().map(|certificate| encoded(certificate));
                let roots = bundle.x509_authorities.iter().map(|authority| encoded(authority.certificate()));
                json!({
                    "x509_svid": chain.collect::<Vec<_>>(),
                    "private_key": encoded(key.pkcs8_der()),
                    "root_cas": roots.collect::<Vec<_>>(),
                })
            });
            return Ok(());
        };
        for (what, unable, name, content, mode) in [
            ("X509-SVID", "SVID", "svid.pem", svid.to_pem().as_bytes(), 0o644),
            ("Private key", "key", "key.pem", key.to_pem().as_bytes(), 0o600),
            ("Root CAs", "bundle", "bundle.pem", bundle.to_pem().as_bytes(), 0o644),
        ] {
            let path = folder.join(name);
            file::write(&path, content, mode).with_context(|| format!("unable to write {unable}"))?;
            output::print(format_args!("{what} written to {}\n", path.display()));
        }
        Ok(())
    }
}

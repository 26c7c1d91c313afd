//! What an operator asks of a server: the nouns that `finial` and `spire-server` have alike.

use anyhow::Result;
use clap::Subcommand;

use crate::{bundle, entry, jwt, localauthority, not_yet::NotYet, token, x509};

#[derive(Subcommand)]
pub(crate) enum Operator {
    /// Registration entries: which workload is given which identity
    #[command(subcommand)]
    Entry(entry::Command),
    /// Join tokens, with which an agent attests once
    #[command(subcommand)]
    Token(token::Command),
    /// Trust bundles: the server's own, and those of other trust domains
    #[command(subcommand)]
    Bundle(bundle::Command),
    /// The authorities that sign: prepare, activate, taint, revoke
    #[command(subcommand, name = "localauthority")]
    LocalAuthority(localauthority::Command),
    /// X.509-SVIDs for those who have no agent
    #[command(subcommand)]
    X509(x509::Command),
    /// JWT-SVIDs for those who have no agent
    #[command(subcommand)]
    Jwt(jwt::Command),
    /// Not supported yet: trust domains whose bundles are fetched
    #[command(hide = true)]
    Federation(NotYet),
    /// Not supported yet: authorities above this server's
    #[command(hide = true, name = "upstreamauthority")]
    UpstreamAuthority(NotYet),
    /// Not supported yet: WIT-SVIDs
    #[command(hide = true)]
    Wit(NotYet),
}

impl Operator {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Entry(command) => command.run().await,
            Self::Token(command) => command.run().await,
            Self::Bundle(command) => command.run().await,
            Self::LocalAuthority(command) => command.run().await,
            Self::X509(command) => command.run().await,
            Self::Jwt(command) => command.run().await,
            Self::Federation(command) => command.refuse("federation"),
            Self::UpstreamAuthority(command) => command.refuse("upstreamauthority"),
            Self::Wit(command) => command.refuse("wit"),
        }
    }
}

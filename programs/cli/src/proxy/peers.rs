//! The flags of `finial proxy` that say what ends the trust in a peer. They are ours.

use std::path::PathBuf;

use clap::Args;
use finial_proxy::PeerFlags;

use super::values;

#[derive(Args)]
pub(super) struct Peers {
    /// A file with lists of certificates that their issuers revoked, in DER or PEM: peers in them are refused, and open
    /// connections to them closed; give it several times
    #[arg(long, value_name = "FILE", value_parser = values::path())]
    crl: Vec<PathBuf>,
    /// Close open connections when the certificate of the peer expires
    #[arg(long = "close-on-expiry")]
    close_on_expiry: bool,
}

impl Peers {
    pub(super) fn flags(&self) -> PeerFlags {
        PeerFlags { revocation_lists: self.crl.clone(), close_on_expiry: self.close_on_expiry }
    }
}

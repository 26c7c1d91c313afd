//! What ends the trust in a peer that is permitted: the flags `--crl` and `--close-on-expiry`, which are ours.

use std::path::PathBuf;
use std::time::Duration;

use super::Trust;
use crate::ProxyError;

/// For peers of either kind, whose certificates are verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerFlags {
    /// `--crl`: files with lists of revoked certificates, in DER or PEM.
    pub revocation_lists: Vec<PathBuf>,
    /// `--close-on-expiry`: an open connection is closed when the certificate of its peer expires.
    pub close_on_expiry: bool,
}

/// The flags after their checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scrutiny {
    pub(crate) lists: Option<ListFiles>,
    pub(crate) close_on_expiry: bool,
}

/// Lists that are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListFiles {
    pub(crate) paths: Vec<PathBuf>,
    /// How often they are read though they seem unchanged.
    pub(crate) every: Option<Duration>,
}

impl PeerFlags {
    /// Of a server, which may ask callers for nothing; `pinned` where only keys count.
    pub(super) fn server(
        self,
        trust: Trust,
        pinned: bool,
        every: Option<Duration>,
    ) -> Result<Scrutiny, ProxyError> {
        if let (Some(flag), Trust::ServerOnly) = (self.given(), trust) {
            return Err(ProxyError::NobodyToScrutinize { flag });
        }
        self.client(pinned.then_some("--allow-spki-pin"), every)
    }

    /// Of a client, which always verifies the server; `pins` is the flag that holds pins, if one does.
    pub(super) fn client(
        self,
        pins: Option<&'static str>,
        every: Option<Duration>,
    ) -> Result<Scrutiny, ProxyError> {
        if let (Some(flag), Some(pins)) = (self.given(), pins) {
            return Err(ProxyError::PinsAndScrutiny { flag, pins });
        }
        let paths = self.revocation_lists;
        let lists = (!paths.is_empty()).then_some(ListFiles { paths, every });
        Ok(Scrutiny { lists, close_on_expiry: self.close_on_expiry })
    }

    fn given(&self) -> Option<&'static str> {
        match (self.revocation_lists.is_empty(), self.close_on_expiry) {
            (false, _) => Some("--crl"),
            (true, true) => Some("--close-on-expiry"),
            (true, false) => None,
        }
    }
}

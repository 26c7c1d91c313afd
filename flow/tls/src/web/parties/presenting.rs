//! An SVID before a server of the web: each side is known as its own kind.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use finial_receive::{NotLive, Source};
use rustls::client::ResolvesClientCert;

use super::WebDialer;
use crate::resolver::{KeyCache, OwnCredential};
use crate::verifier::Witness;
use crate::{Standing, Terms, TlsError};

/// Where the SVID comes from that is presented instead of a certificate of the web.
#[derive(Clone, Debug)]
pub(super) struct Presenting {
    source: Source,
    keys: KeyCache,
}

/// What a handshake presented of it.
pub(super) struct Presented<'a>(Option<(&'a Source, Arc<Witness>)>);

impl WebDialer {
    /// Presents the default credential of `source`, if it has one, instead of a certificate of the web: for a server
    /// that knows workloads by their SVIDs and has a certificate of another PKI itself. When the identity goes, so does
    /// the connection.
    #[must_use]
    pub fn presenting(mut self, source: &Source) -> Self {
        self.presenting = Some(Presenting { source: source.clone(), keys: KeyCache::default() });
        self
    }

    /// What is presented in one handshake.
    ///
    /// # Errors
    /// When the source of the SVID has nothing at the moment, or a key that cannot be used.
    pub(super) fn own(&self) -> Result<(Arc<dyn ResolvesClientCert>, Presented<'_>), TlsError> {
        let Some(Presenting { source, keys }) = &self.presenting else {
            return Ok((self.party.own(), Presented(None)));
        };
        match source.credential() {
            Ok(credential) => drop(keys.certified(&credential)?),
            Err(NotLive::Anonymous) => {}
            Err(reason) => return Err(reason.into()),
        }
        let witness = Arc::new(Witness::default());
        let own = OwnCredential::witnessed(source.clone(), keys.clone(), Arc::clone(&witness));
        Ok((Arc::new(own), Presented(Some((source, witness)))))
    }
}

impl Presented<'_> {
    /// The standing of a connection that rests on what was presented as well.
    pub(super) fn join(self, web: Standing) -> Standing {
        match self.0 {
            Some((source, witness)) => {
                web.and(Standing::new((source.clone(), Terms::default()), witness.presented(), None, None))
            }
            None => web,
        }
    }
}

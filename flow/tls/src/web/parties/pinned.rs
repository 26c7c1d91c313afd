//! Peers that an operator named by the hash of their key: no chain, no validity and no name of theirs counts.

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use finial_identity::{ForeignChain, ForeignChainError, PublicKey, Role, SpkiPin};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::{WebAcceptor, WebDialer};
use crate::config::{self, ClientAuth};
use crate::verifier::PeerVerifier;
use crate::{Secured, Standing, TlsError};

/// The holder of a private key that an operator pinned. Nobody vouches for what its certificate says, so that it has no
/// names: it is neither a [`Peer`](crate::Peer) nor a [`WebPeer`](crate::WebPeer). Only a handshake in this crate makes
/// one.
#[derive(Clone, Debug)]
pub struct PinnedPeer {
    pin: SpkiPin,
}

impl PinnedPeer {
    /// The pin that permitted it.
    pub fn pin(&self) -> &SpkiPin {
        &self.pin
    }
}

impl WebAcceptor {
    /// Performs the handshake with a client whose key has one of `pins`, whatever the rules. Its certificate may be
    /// expired, or signed by anybody; that it holds the key is verified. Without a pin nobody is permitted.
    ///
    /// The standing never falls: there is nothing behind a pin that could be withdrawn.
    ///
    /// # Errors
    /// When the client has no certificate or another key, when the handshake fails or takes too long.
    pub async fn accept_pinned<S>(
        &self,
        stream: S,
        pins: &Arc<[SpkiPin]>,
    ) -> Result<Secured<server::TlsStream<S>, PinnedPeer>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (check, witness) = PinCheck::new(pins);
        let (offer, clock, own) = (&self.party.settings.offer, self.party.clock(), self.party.own());
        let config = config::server(offer, clock, own, check, ClientAuth::Required, &[]);
        let handshake = TlsAcceptor::from(Arc::new(config)).accept(stream);
        let stream = self.party.within_limit(handshake).await?;
        let (peer, standing) = conclude(&witness)?;
        Ok(Secured { stream, peer, standing })
    }
}

impl WebDialer {
    /// Performs the handshake with a server whose key has one of `pins`, whatever the rules and its names; `name` is
    /// only sent as SNI. Otherwise as [`accept_pinned`](WebAcceptor::accept_pinned).
    ///
    /// # Errors
    /// When the server has another key, when the handshake fails or takes too long.
    pub async fn connect_pinned<S>(
        &self,
        stream: S,
        name: ServerName<'static>,
        pins: &Arc<[SpkiPin]>,
    ) -> Result<Secured<client::TlsStream<S>, PinnedPeer>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (check, witness) = PinCheck::new(pins);
        let (offer, clock, own) = (&self.party.settings.offer, self.party.clock(), self.party.own());
        let config = config::client(offer, clock, own, check, &[]);
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let stream = self.party.within_limit(handshake).await?;
        let (peer, standing) = conclude(&witness)?;
        Ok(Secured { stream, peer, standing })
    }
}

/// The pin that permitted a peer, and its key.
type Witness = OnceLock<(SpkiPin, PublicKey)>;

/// Called only after rustls has ended the handshake, in which the peer proved that it holds its key.
fn conclude(witness: &Witness) -> Result<(PinnedPeer, Standing), TlsError> {
    let (pin, key) = witness.get().cloned().ok_or(TlsError::NoCertificate)?;
    Ok((PinnedPeer { pin }, Standing::of_pinned(key)))
}

/// The check on a peer's certificate: that the key in it is pinned. What follows the leaf is passed over.
#[derive(Debug)]
struct PinCheck {
    pins: Arc<[SpkiPin]>,
    witness: Arc<Witness>,
}

impl PinCheck {
    fn new(pins: &Arc<[SpkiPin]>) -> (Self, Arc<Witness>) {
        let witness = Arc::new(Witness::new());
        (Self { pins: Arc::clone(pins), witness: Arc::clone(&witness) }, witness)
    }
}

impl PeerVerifier for PinCheck {
    fn accept(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: Role,
        _: Option<&ServerName<'_>>,
    ) -> Result<(), TlsError> {
        let untrusted = |cause: ForeignChainError| TlsError::UntrustedWeb(Arc::new(cause));
        let leaf = ForeignChain::from_chain(vec![leaf.clone().into_owned()]).map_err(untrusted)?;
        let key = leaf.public_key();
        let Some(pin) = self.pins.iter().find(|pin| pin.is_of(key)) else {
            return Err(TlsError::UnauthorizedKey { pin: SpkiPin::of(key) });
        };
        let _ = self.witness.set((pin.clone(), key.clone()));
        Ok(())
    }
}

//! Handshakes: a plain stream goes in, and a stream with a known peer comes out.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::sync::Arc;

use finial_identity::Role;
use finial_receive::Source;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::config::{self, ClientAuth};
use crate::resolver::{KeyCache, OwnCredential};
use crate::verifier::{PeerCheck, RecentSvids, Wanted, Witness};
use crate::{HandshakeSettings, Peer, Policy, Standing, TlsError};

/// A stream after its handshake. `P` is [`Peer`], or `Option<Peer>` where a client may be nobody.
#[derive(Debug)]
pub struct Secured<S, P = Peer> {
    /// The encrypted stream.
    pub stream: S,
    /// Who is at its other end.
    pub peer: P,
    /// Resolves when the stream must be closed because the trust it rests on has gone.
    pub standing: Standing,
}

/// Performs the server's side of handshakes. Clones share the signing key.
#[derive(Clone, Debug)]
pub struct Acceptor {
    party: Party,
}

/// Performs the client's side of handshakes. Clones share the signing key.
#[derive(Clone, Debug)]
pub struct Connector {
    party: Party,
}

impl Acceptor {
    /// Presents the default credential of `source` and accepts the clients that `policy` permits.
    pub fn new(source: &Source, policy: Policy) -> Self {
        Self { party: Party::new(source, Wanted::ByPolicy(policy)) }
    }

    /// Offers these application protocols, best first. Without it none is offered.
    #[must_use]
    pub fn with_alpn<T: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
        self.party.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Makes its handshakes so.
    #[must_use]
    pub fn with_settings(mut self, settings: HandshakeSettings) -> Self {
        self.party.settings = settings;
        self
    }

    /// Performs the handshake with a client, which must present an SVID.
    ///
    /// # Errors
    /// When we have no credential to present, when the client has none or is not permitted, when the handshake
    /// fails or takes too long. The stream is then dropped.
    pub async fn accept<S>(&self, stream: S) -> Result<Secured<server::TlsStream<S>>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Secured { stream, peer, standing } = self.perform(stream, ClientAuth::Required).await?;
        Ok(Secured { stream, peer: peer.ok_or(TlsError::NoCertificate)?, standing })
    }

    /// Performs the handshake with a client that may present no certificate, and is then nobody. One that presents
    /// an SVID must be permitted, as in [`accept`](Self::accept).
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub async fn accept_optional<S>(
        &self,
        stream: S,
    ) -> Result<Secured<server::TlsStream<S>, Option<Peer>>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.perform(stream, ClientAuth::Optional).await
    }

    /// Performs the handshake with a client that is asked for no certificate, and is nobody, whatever the policy.
    ///
    /// # Errors
    /// When we have no credential to present, when the handshake fails or takes too long.
    pub async fn accept_anybody<S>(&self, stream: S) -> Result<Secured<server::TlsStream<S>, ()>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.party.keys.certified(&self.party.source.credential()?)?;
        let (own, _, witness) = self.party.enter();
        let config = config::open_server(&self.party.settings.offer, self.party.source.clock(), own);
        let handshake = TlsAcceptor::from(Arc::new(config)).accept(stream);
        let stream = self.party.within_limit(handshake).await?;
        let (_, standing) = self.party.conclude(&witness, Role::Client);
        Ok(Secured { stream, peer: (), standing })
    }

    async fn perform<S>(
        &self,
        stream: S,
        client_auth: ClientAuth,
    ) -> Result<Secured<server::TlsStream<S>, Option<Peer>>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // A server always presents something; the reason why it cannot is worth more than an alert.
        self.party.keys.certified(&self.party.source.credential()?)?;
        let (own, check, witness) = self.party.enter();
        let (offer, clock, alpn) = (&self.party.settings.offer, self.party.source.clock(), &self.party.alpn);
        let config = config::server(offer, clock, own, check, client_auth, alpn);
        let handshake = TlsAcceptor::from(Arc::new(config)).accept(stream);
        let stream = self.party.within_limit(handshake).await?;
        let (peer, standing) = self.party.conclude(&witness, Role::Client);
        Ok(Secured { stream, peer, standing })
    }
}

impl Connector {
    /// Presents the default credential of `source`, if it has one, and accepts the servers that `policy` permits.
    pub fn new(source: &Source, policy: Policy) -> Self {
        Self { party: Party::new(source, Wanted::ByPolicy(policy)) }
    }

    /// Presents the default credential of `source`, and accepts the server whose SVID is of the trust domain of that
    /// credential and for the host name that is dialled (RFC 9525): for where names are known and SPIFFE IDs are not.
    pub fn by_host(source: &Source) -> Self {
        Self { party: Party::new(source, Wanted::ByHost) }
    }

    /// Offers these application protocols, best first. Without it none is offered.
    #[must_use]
    pub fn with_alpn<T: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
        self.party.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Makes its handshakes so.
    #[must_use]
    pub fn with_settings(mut self, settings: HandshakeSettings) -> Self {
        self.party.settings = settings;
        self
    }

    /// Presents no credential: the server is verified, and does not learn who we are.
    #[must_use]
    pub fn without_credential(mut self) -> Self {
        self.party.anonymous = true;
        self
    }

    /// Performs the handshake with a server. `server_name` is sent as SNI when it is a DNS name, and has no part
    /// in deciding whether the server is trusted, save for a connector [by host](Self::by_host).
    ///
    /// In TLS 1.3 this side is done before the server has looked at our certificate: its refusal comes as an error
    /// of the first read.
    ///
    /// # Errors
    /// When we have no bundles, when the server is not permitted, when the handshake fails or takes too long. The
    /// stream is then dropped.
    pub async fn connect<S>(
        &self,
        stream: S,
        server_name: ServerName<'static>,
    ) -> Result<Secured<client::TlsStream<S>>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if let Some(credential) = self.party.source.context()?.credential()
            && !self.party.anonymous
        {
            self.party.keys.certified(credential)?;
        }
        let (own, check, witness) = self.party.enter();
        let (offer, clock, alpn) = (&self.party.settings.offer, self.party.source.clock(), &self.party.alpn);
        let config = config::client(offer, clock, own, check, alpn);
        let handshake = TlsConnector::from(Arc::new(config)).connect(server_name, stream);
        let stream = self.party.within_limit(handshake).await?;
        let (peer, standing) = self.party.conclude(&witness, Role::Server);
        Ok(Secured { stream, peer: peer.ok_or(TlsError::NoCertificate)?, standing })
    }
}

/// What both sides have in common.
#[derive(Clone, Debug)]
struct Party {
    source: Source,
    wanted: Wanted,
    alpn: Vec<Vec<u8>>,
    settings: HandshakeSettings,
    keys: KeyCache,
    recent: Arc<RecentSvids>,
    /// Nothing is presented.
    anonymous: bool,
}

impl Party {
    fn new(source: &Source, wanted: Wanted) -> Self {
        let source = source.clone();
        Self {
            source,
            wanted,
            alpn: Vec::new(),
            settings: HandshakeSettings::default(),
            keys: KeyCache::default(),
            recent: Arc::default(),
            anonymous: false,
        }
    }

    /// The two halves of one handshake that rustls calls, and the witness on which both write. A configuration for
    /// each connection costs little beside its signatures, and makes the verified peer its own.
    fn enter(&self) -> (Arc<OwnCredential>, PeerCheck, Arc<Witness>) {
        let witness = Arc::new(Witness::default());
        let own = OwnCredential::witnessed(self.source.clone(), self.keys.clone(), Arc::clone(&witness));
        let own = if self.anonymous { own.withheld() } else { own };
        let (source, recent) = (self.source.clone(), Arc::clone(&self.recent));
        let asked = (self.wanted.clone(), &self.settings);
        let check = PeerCheck::witnessed(source, asked, recent, Arc::clone(&witness));
        (Arc::new(own), check, witness)
    }

    async fn within_limit<T>(&self, handshake: impl Future<Output = io::Result<T>>) -> Result<T, TlsError> {
        match self.source.clock().timeout(self.settings.limit, handshake).await {
            Ok(result) => result.map_err(TlsError::from_io),
            Err(_) => Err(TlsError::Timeout(self.settings.limit)),
        }
    }

    /// Called only after rustls has ended the handshake, in which the peer proved that it holds its key.
    fn conclude(&self, witness: &Witness, peer_role: Role) -> (Option<Peer>, Standing) {
        let (peer, proven) = witness.peer().unzip();
        let standing = Standing::new(
            (self.source.clone(), self.settings.terms.clone()),
            witness.presented(),
            peer.clone().map(|svid| (svid, peer_role)),
            proven,
        );
        (peer.map(Peer::Spiffe), standing)
    }
}

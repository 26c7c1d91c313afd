//! Handshakes between programs that certificates of any PKI name: on both sides, or on the server's alone.

mod check;
mod credential;
mod peer;
mod pinned;
mod presenting;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::sync::Arc;

use finial_identity::Role;
use finial_receive::WebSource;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use self::check::{RecentChains, WebCheck, WebWitness};
use self::credential::{WebKeyCache, WebOwn};
pub use self::peer::WebPeer;
pub use self::pinned::PinnedPeer;
use self::presenting::Presenting;
use crate::config::{self, ClientAuth};
use crate::standing::WebStanding;
use crate::{HandshakeSettings, NameRules, Secured, Standing, TlsError};

/// Performs the server's side of handshakes with a certificate of any PKI. Clones share the signing key.
#[derive(Clone, Debug)]
pub struct WebAcceptor {
    party: Party,
    alpn: Vec<Vec<u8>>,
}

/// Performs the client's side of handshakes with servers that a certificate of any PKI names, and presents one of its
/// own if its source has one. Clones share the signing key.
#[derive(Clone, Debug)]
pub struct WebDialer {
    party: Party,
    presenting: Option<Presenting>,
    alpn: Vec<Vec<u8>>,
}

impl WebAcceptor {
    /// Presents the certificate of `source` and accepts the clients that `rules` permit.
    pub fn new(source: &WebSource, rules: NameRules) -> Self {
        Self { party: Party::new(source, rules), alpn: Vec::new() }
    }

    /// Offers these application protocols, best first. Without it none is offered.
    #[must_use]
    pub fn with_alpn<T: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Makes its handshakes so.
    #[must_use]
    pub fn with_settings(mut self, settings: HandshakeSettings) -> Self {
        self.party.settings = settings;
        self
    }

    /// Performs the handshake with a client, which must present a certificate that leads to the roots of the source.
    ///
    /// # Errors
    /// When the client has none or is not permitted, when the handshake fails or takes too long.
    pub async fn accept<S>(&self, stream: S) -> Result<Secured<server::TlsStream<S>, WebPeer>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (check, witness) = self.party.check(Check::Rules);
        let (offer, clock, own) = (&self.party.settings.offer, self.party.clock(), self.party.own());
        let config = config::server(offer, clock, own, check, ClientAuth::Required, &self.alpn);
        let handshake = TlsAcceptor::from(Arc::new(config)).accept(stream);
        let stream = self.party.within_limit(handshake).await?;
        let (peer, standing) = self.party.conclude(&witness, Role::Client)?;
        Ok(Secured { stream, peer, standing })
    }

    /// Performs the handshake with a client that is asked for no certificate, and is nobody.
    ///
    /// # Errors
    /// When the handshake fails or takes too long.
    pub async fn accept_anybody<S>(&self, stream: S) -> Result<Secured<server::TlsStream<S>, ()>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = config::open_server(&self.party.settings.offer, self.party.clock(), self.party.own());
        let handshake = TlsAcceptor::from(Arc::new(config)).accept(stream);
        let stream = self.party.within_limit(handshake).await?;
        Ok(Secured { stream, peer: (), standing: Standing::of_nobody() })
    }
}

impl WebDialer {
    /// Accepts servers whose certificate leads to the roots of `source` and is for the name that was dialled. If there
    /// are `rules`, one of them must permit the server as well.
    pub fn new(source: &WebSource, rules: NameRules) -> Self {
        Self { party: Party::new(source, rules), presenting: None, alpn: Vec::new() }
    }

    /// Offers these application protocols, best first. Without it none is offered.
    #[must_use]
    pub fn with_alpn<T: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Makes its handshakes so.
    #[must_use]
    pub fn with_settings(mut self, settings: HandshakeSettings) -> Self {
        self.party.settings = settings;
        self
    }

    /// Performs the handshake with the server that must be called `name`. In TLS 1.3 this side is done before the
    /// server has looked at our certificate: its refusal comes as an error of the first read.
    ///
    /// # Errors
    /// When the server has another name or is not permitted, when the handshake fails or takes too long.
    pub async fn connect<S>(
        &self,
        stream: S,
        name: ServerName<'static>,
    ) -> Result<Secured<client::TlsStream<S>, WebPeer>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (check, witness) = self.party.check(Check::Name);
        let (own, presented) = self.own()?;
        let (offer, clock) = (&self.party.settings.offer, self.party.clock());
        let config = config::client(offer, clock, own, check, &self.alpn);
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let stream = self.party.within_limit(handshake).await?;
        let (peer, standing) = self.party.conclude(&witness, Role::Server)?;
        Ok(Secured { stream, peer, standing: presented.join(standing) })
    }
}

/// What a peer's certificate must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// One of the rules permits it.
    Rules,
    /// It is for the name that was dialled, and one of the rules permits it if there are any.
    Name,
}

/// What both sides have in common.
#[derive(Clone, Debug)]
struct Party {
    source: WebSource,
    rules: Arc<NameRules>,
    settings: HandshakeSettings,
    keys: WebKeyCache,
    recent: Arc<RecentChains>,
}

impl Party {
    fn new(source: &WebSource, rules: NameRules) -> Self {
        let (source, rules) = (source.clone(), Arc::new(rules));
        Self {
            source,
            rules,
            settings: HandshakeSettings::default(),
            keys: WebKeyCache::default(),
            recent: Arc::default(),
        }
    }

    fn clock(&self) -> &finial_daemon::Clock {
        self.source.clock()
    }

    fn own(&self) -> Arc<WebOwn> {
        Arc::new(WebOwn::new(self.source.clone(), self.keys.clone()))
    }

    fn check(&self, check: Check) -> (WebCheck, Arc<WebWitness>) {
        let witness = Arc::new(WebWitness::default());
        let asked = (Arc::clone(&self.rules), self.settings.terms.clone());
        let recent = Arc::clone(&self.recent);
        (WebCheck::new(self.source.clone(), asked, check, recent, Arc::clone(&witness)), witness)
    }

    async fn within_limit<T>(&self, handshake: impl Future<Output = io::Result<T>>) -> Result<T, TlsError> {
        match self.clock().timeout(self.settings.limit, handshake).await {
            Ok(result) => result.map_err(TlsError::from_io),
            Err(_) => Err(TlsError::Timeout(self.settings.limit)),
        }
    }

    /// Called only after rustls has ended the handshake, in which the peer proved that it holds its key.
    fn conclude(&self, witness: &WebWitness, role: Role) -> Result<(WebPeer, Standing), TlsError> {
        let (peer, proven) = witness.peer().ok_or(TlsError::NoCertificate)?;
        let standing =
            WebStanding::new((self.source.clone(), self.settings.terms.clone()), peer.clone(), role, proven);
        Ok((WebPeer::new(peer), Standing::of_web(standing)))
    }
}

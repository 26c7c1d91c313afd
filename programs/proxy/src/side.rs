//! The side of a proxy that is secured: with SPIFFE peers, or with peers of the web, behind one face.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use finial_identity::SpkiPin;
use finial_tls::{
    Acceptor, Connector, HandshakeSettings, NameRules, Peer, PinnedPeer, Policy, Secured, Standing, TlsError,
    WebAcceptor, WebDialer, WebPeer,
};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{client, server};

use crate::config::{Mode, Plan, Trust};
use crate::http::ALPN;
use crate::identity::Identity;
use crate::lines::excerpt;

/// On which side the TLS is, and with whom.
#[derive(Debug)]
pub(crate) enum Side {
    Server(Front),
    Client(Back),
}

/// Performs handshakes with callers.
#[derive(Debug)]
pub(crate) struct Front {
    acceptor: AnyAcceptor,
    rules: NameRules,
    trust: Trust,
}

/// Performs handshakes with the target.
#[derive(Debug)]
pub(crate) struct Back {
    connector: AnyConnector,
    rules: NameRules,
    trust: Trust,
    /// What the certificates of the targets must be for.
    names: Vec<ServerName<'static>>,
}

#[derive(Debug)]
enum AnyAcceptor {
    Spiffe(Acceptor),
    Web(WebAcceptor),
    Pinned(WebAcceptor, Arc<[SpkiPin]>),
}

#[derive(Debug)]
enum AnyConnector {
    Spiffe(Connector),
    Web(WebDialer),
    Pinned(WebDialer, Arc<[SpkiPin]>),
}

/// A stream after its handshake, with whoever is at its other end.
#[derive(Debug)]
pub(crate) struct Met<S> {
    /// On the heap, since it is handed on several times.
    pub(crate) stream: Box<S>,
    pub(crate) peer: AnyPeer,
    pub(crate) standing: Standing,
}

/// Whoever is at the other end. As text it is how log lines name a peer, and decides nothing.
#[derive(Debug)]
pub(crate) enum AnyPeer {
    Spiffe(Peer),
    Web(Box<WebPeer>),
    Pinned(SpkiPin),
    Nobody,
}

impl AnyPeer {
    /// Whether an authority vouches for what the certificate says. Of a pinned peer its holder does.
    pub(crate) fn is_vouched_for(&self) -> bool {
        !matches!(self, Self::Pinned(_))
    }
}

impl Side {
    pub(crate) fn new(plan: &Plan, identity: &Identity, settings: &HandshakeSettings) -> Self {
        match plan.mode {
            Mode::Server => Self::Server(Front::new(plan, identity, settings)),
            Mode::Client => Self::Client(Back::new(plan, identity, settings)),
        }
    }

    /// Whether a connection that was made under the side before it may go on under this one.
    pub(crate) fn keeps(&self, before: &Self, standing: &Standing) -> bool {
        match (self, before) {
            (Self::Server(front), Self::Server(_)) => front.keeps(standing),
            (Self::Client(back), Self::Client(before)) => back.keeps(before, standing),
            _ => false,
        }
    }
}

impl Front {
    fn new(plan: &Plan, identity: &Identity, settings: &HandshakeSettings) -> Self {
        match (identity, &plan.pins) {
            (Identity::Web(source), Some(pins)) => {
                let acceptor = WebAcceptor::new(source, NameRules::default()).with_settings(settings.clone());
                let acceptor = AnyAcceptor::Pinned(acceptor, Arc::clone(pins));
                Self { acceptor, rules: NameRules::default(), trust: plan.trust }
            }
            _ => {
                let front = Self::with(identity, plan.rules.clone(), plan.trust, settings.clone());
                if plan.http.is_some() { front.speaking_http() } else { front }
            }
        }
    }

    fn keeps(&self, standing: &Standing) -> bool {
        match &self.acceptor {
            AnyAcceptor::Pinned(_, pins) => standing.is_pinned_by(pins),
            AnyAcceptor::Spiffe(_) | AnyAcceptor::Web(_) => {
                self.trust == Trust::ServerOnly || standing.is_permitted_by(&self.rules)
            }
        }
    }

    /// Asks callers for no certificate.
    pub(crate) fn open(identity: &Identity, settings: HandshakeSettings) -> Self {
        Self::with(identity, NameRules::default(), Trust::ServerOnly, settings)
    }

    fn with(identity: &Identity, rules: NameRules, trust: Trust, settings: HandshakeSettings) -> Self {
        let acceptor = match identity {
            Identity::Spiffe(source) => {
                let acceptor = Acceptor::new(source, Policy::names(rules.clone()));
                AnyAcceptor::Spiffe(acceptor.with_settings(settings))
            }
            Identity::Web(source) => {
                AnyAcceptor::Web(WebAcceptor::new(source, rules.clone()).with_settings(settings))
            }
        };
        Self { acceptor, rules, trust }
    }

    fn speaking_http(mut self) -> Self {
        self.acceptor = match self.acceptor {
            AnyAcceptor::Spiffe(acceptor) => AnyAcceptor::Spiffe(acceptor.with_alpn(ALPN)),
            AnyAcceptor::Web(acceptor) => AnyAcceptor::Web(acceptor.with_alpn(ALPN)),
            pinned @ AnyAcceptor::Pinned(..) => pinned,
        };
        self
    }

    pub(crate) async fn accept<S>(&self, stream: S) -> Result<Met<server::TlsStream<S>>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match (&self.acceptor, self.trust) {
            (AnyAcceptor::Spiffe(acceptor), Trust::Mutual) => acceptor.accept(stream).await.map(Met::from),
            (AnyAcceptor::Web(acceptor), Trust::Mutual) => acceptor.accept(stream).await.map(Met::from),
            (AnyAcceptor::Pinned(acceptor, pins), _) => {
                acceptor.accept_pinned(stream, pins).await.map(Met::from)
            }
            (AnyAcceptor::Spiffe(acceptor), Trust::ServerOnly) => {
                acceptor.accept_anybody(stream).await.map(Met::from)
            }
            (AnyAcceptor::Web(acceptor), Trust::ServerOnly) => {
                acceptor.accept_anybody(stream).await.map(Met::from)
            }
        }
    }
}

impl Back {
    fn new(plan: &Plan, identity: &Identity, settings: &HandshakeSettings) -> Self {
        let (rules, settings) = (plan.rules.clone(), settings.clone());
        let connector = match identity {
            Identity::Spiffe(source) => {
                let connector = Connector::new(source, Policy::names(rules.clone())).with_settings(settings);
                AnyConnector::Spiffe(match plan.trust {
                    Trust::Mutual => connector,
                    Trust::ServerOnly => connector.without_credential(),
                })
            }
            Identity::Web(source) => {
                let dialer = WebDialer::new(source, rules.clone()).with_settings(settings);
                match &plan.pins {
                    Some(pins) => AnyConnector::Pinned(dialer, Arc::clone(pins)),
                    None => AnyConnector::Web(dialer),
                }
            }
        };
        let names = plan.targets.iter().filter_map(|target| target.name.clone()).collect();
        Self { connector, rules, trust: plan.trust, names }
    }

    /// Names count only with peers of the web, where the handshake has proven one.
    fn keeps(&self, before: &Self, standing: &Standing) -> bool {
        let permitted = match self.connector {
            AnyConnector::Spiffe(_) => standing.is_permitted_by(&self.rules),
            AnyConnector::Pinned(_, ref pins) => standing.is_pinned_by(pins),
            AnyConnector::Web(_) => {
                before.names.iter().all(|name| self.names.contains(name))
                    && (self.rules.is_empty() || standing.is_permitted_by(&self.rules))
            }
        };
        permitted && self.trust == before.trust
    }

    /// `name` is what the certificate must be for. With SPIFFE, or a pin, it only becomes SNI, which an address does not.
    pub(crate) async fn connect<S>(
        &self,
        stream: S,
        name: Option<&ServerName<'static>>,
    ) -> Result<Met<client::TlsStream<S>>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = name.cloned().unwrap_or(ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        match &self.connector {
            AnyConnector::Spiffe(connector) => connector.connect(stream, name).await.map(Met::from),
            AnyConnector::Web(dialer) => dialer.connect(stream, name).await.map(Met::from),
            AnyConnector::Pinned(dialer, pins) => {
                dialer.connect_pinned(stream, name, pins).await.map(Met::from)
            }
        }
    }
}

impl<S, P: Into<AnyPeer>> From<Secured<S, P>> for Met<S> {
    fn from(Secured { stream, peer, standing }: Secured<S, P>) -> Self {
        Self { stream: Box::new(stream), peer: peer.into(), standing }
    }
}

impl From<Peer> for AnyPeer {
    fn from(peer: Peer) -> Self {
        Self::Spiffe(peer)
    }
}

impl From<WebPeer> for AnyPeer {
    fn from(peer: WebPeer) -> Self {
        Self::Web(Box::new(peer))
    }
}

impl From<PinnedPeer> for AnyPeer {
    fn from(peer: PinnedPeer) -> Self {
        Self::Pinned(peer.pin().clone())
    }
}

impl From<()> for AnyPeer {
    fn from((): ()) -> Self {
        Self::Nobody
    }
}

impl fmt::Display for AnyPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spiffe(peer) => write!(f, "{}", peer.spiffe_id()),
            Self::Web(peer) => f.write_str(&excerpt(&peer.chain().subject())),
            Self::Pinned(pin) => write!(f, "{pin}"),
            Self::Nobody => f.write_str("no cert"),
        }
    }
}

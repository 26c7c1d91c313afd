//! Two parties and a wire between them, and strangers who speak plain rustls.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_daemon::{Clock, ClockHand};
use finial_identity::{BundleSet, PrivateKey, SpiffeId};
use finial_receive::testing::{Authority, start};
use finial_receive::{Source, SourceWriter};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::DuplexStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::{Acceptor, Connector, Policy, Secured, TlsError};

pub(crate) const CLIENT: &str = "spiffe://example.org/client";
pub(crate) const SERVER: &str = "spiffe://example.org/server";

/// What a certificate and its key look like to a stranger.
pub(crate) type Presented = (Vec<CertificateDer<'static>>, PrivateKey);

pub(crate) fn id(text: &str) -> SpiffeId {
    SpiffeId::parse(text).unwrap()
}

pub(crate) fn only(text: &str) -> Policy {
    Policy::ids([id(text)])
}

pub(crate) fn clock() -> (Clock, ClockHand) {
    Clock::manual(start())
}

/// A party with a credential of `authority` that trusts `bundles`.
pub(crate) fn party(
    authority: &Authority,
    id: &str,
    bundles: BundleSet,
    clock: &Clock,
) -> (SourceWriter, Source) {
    let (writer, source) = Source::channel(clock);
    writer.publish(vec![authority.credential(id)], bundles).unwrap();
    (writer, source)
}

/// A server and a client of one trust domain, each with a policy for exactly the other.
pub(crate) struct Pair {
    pub(crate) authority: Authority,
    pub(crate) hand: ClockHand,
    pub(crate) server_writer: SourceWriter,
    pub(crate) server: Source,
    pub(crate) client_writer: SourceWriter,
    pub(crate) client: Source,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let authority = Authority::new("example.org");
        let (clock, hand) = clock();
        let (server_writer, server) = party(&authority, SERVER, authority.bundles(), &clock);
        let (client_writer, client) = party(&authority, CLIENT, authority.bundles(), &clock);
        Self { authority, hand, server_writer, server, client_writer, client }
    }

    pub(crate) fn acceptor(&self) -> Acceptor {
        Acceptor::new(&self.server, only(CLIENT))
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::new(&self.client, only(SERVER))
    }
}

pub(crate) type Accepted = Result<Secured<server::TlsStream<DuplexStream>>, TlsError>;
pub(crate) type Connected = Result<Secured<client::TlsStream<DuplexStream>>, TlsError>;

/// Both sides of one handshake.
pub(crate) async fn shake(acceptor: &Acceptor, connector: &Connector) -> (Accepted, Connected) {
    let (near, far) = wire();
    tokio::join!(acceptor.accept(far), connector.connect(near, name()))
}

/// A stranger connects.
pub(crate) async fn shake_with_client(acceptor: &Acceptor, client: &Arc<ClientConfig>) -> Accepted {
    let (near, far) = wire();
    let connector = TlsConnector::from(Arc::clone(client));
    tokio::join!(acceptor.accept(far), connector.connect(name(), near)).0
}

/// A stranger is connected to.
pub(crate) async fn shake_with_server(connector: &Connector, server: &Arc<ServerConfig>) -> Connected {
    let (near, far) = wire();
    let acceptor = TlsAcceptor::from(Arc::clone(server));
    tokio::join!(connector.connect(near, name()), acceptor.accept(far)).0
}

pub(crate) fn wire() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(64 * 1024)
}

pub(crate) fn name() -> ServerName<'static> {
    ServerName::try_from("server.test").unwrap()
}

/// A client that believes any server and presents what it is told to.
pub(crate) fn stranger_client(
    versions: &[&'static SupportedProtocolVersion],
    presented: Option<Presented>,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believer));
    Arc::new(match presented {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key.to_rustls()).unwrap(),
        None => builder.with_no_client_auth(),
    })
}

/// A server that asks for nothing and presents what it is told to.
pub(crate) fn stranger_server((chain, key): Presented) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    Arc::new(builder.with_single_cert(chain, key.to_rustls()).unwrap())
}

/// For a stranger that is made by hand.
pub(crate) fn believer() -> Arc<dyn ServerCertVerifier> {
    Arc::new(Believer)
}

/// Believes every server: a stranger may be careless.
#[derive(Debug)]
struct Believer;

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

//! rustls configurations that read a source at each handshake.

use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use finial_daemon::Clock;
use finial_receive::Source;
use rustls::client::{ResolvesClientCert, Resumption, Tls12Resumption};
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::time_provider::TimeProvider;
use rustls::{CipherSuite, ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::UnixTime;

use crate::resolver::OwnCredential;
use crate::verifier::{ClientVerifier, PeerCheck, PeerVerifier, ServerVerifier};
use crate::{Offer, Policy};

/// Newest first; both with forward secret AEAD suites only, since the provider has no others.
pub(crate) static VERSIONS: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Of the suites of TLS 1.3 the one with SHA-256 comes first, as with Go, so that ghostunnel prefers it too: processors have
/// instructions for it, and SHA-384 would cost a tenth of a handshake.
pub(crate) static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
});

/// Whether a server insists on a client certificate. One that is presented is always verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// No connection without one.
    Required,
    /// A client without one is accepted as nobody, for a server with calls that anybody may make.
    Optional,
}

/// A server that presents the default credential of `source` and accepts the clients that `policy` permits.
///
/// For stacks that take a rustls configuration; it tells nobody who the peer is. Prefer an
/// [`Acceptor`](crate::Acceptor). `alpn`: the application protocols, best first; none offers none.
pub fn server_config(
    source: &Source,
    policy: &Policy,
    client_auth: ClientAuth,
    alpn: &[Vec<u8>],
) -> ServerConfig {
    let check = PeerCheck::new(source.clone(), policy.clone());
    let own = Arc::new(OwnCredential::new(source.clone()));
    server(&Offer::default(), source.clock(), own, check, client_auth, alpn)
}

/// A client that presents the default credential of `source` and accepts the servers that `policy` permits.
///
/// For stacks that take a rustls configuration; it tells nobody who the peer is. Prefer a
/// [`Connector`](crate::Connector). `alpn`: the application protocols, best first; none offers none.
pub fn client_config(source: &Source, policy: &Policy, alpn: &[Vec<u8>]) -> ClientConfig {
    let check = PeerCheck::new(source.clone(), policy.clone());
    let own = Arc::new(OwnCredential::new(source.clone()));
    client(&Offer::default(), source.clock(), own, check, alpn)
}

pub(crate) fn server(
    offer: &Offer,
    clock: &Clock,
    own: Arc<dyn ResolvesServerCert>,
    check: impl PeerVerifier + 'static,
    client_auth: ClientAuth,
    alpn: &[Vec<u8>],
) -> ServerConfig {
    let verifier = ClientVerifier::new(check, client_auth, Arc::clone(&PROVIDER));
    let builder = server_builder(offer, clock).with_client_cert_verifier(Arc::new(verifier));
    let config = builder.with_cert_resolver(own);
    without_resumption(config, alpn)
}

/// A server that asks for no certificate: its clients are nobody.
pub(crate) fn open_server(offer: &Offer, clock: &Clock, own: Arc<dyn ResolvesServerCert>) -> ServerConfig {
    without_resumption(server_builder(offer, clock).with_no_client_auth().with_cert_resolver(own), &[])
}

fn server_builder(
    offer: &Offer,
    clock: &Clock,
) -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let time = Arc::new(ClockTime(clock.clone()));
    with_versions(ServerConfig::builder_with_details(offer.provider(), time), offer)
}

/// A resumed session skips the verifier, so that a peer would keep access after its authority was removed.
fn without_resumption(mut config: ServerConfig, alpn: &[Vec<u8>]) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.ignore_client_order = true;
    config.alpn_protocols = alpn.to_vec();
    config
}

pub(crate) fn client(
    offer: &Offer,
    clock: &Clock,
    own: Arc<dyn ResolvesClientCert>,
    check: impl PeerVerifier + 'static,
    alpn: &[Vec<u8>],
) -> ClientConfig {
    let time = Arc::new(ClockTime(clock.clone()));
    let verifier = ServerVerifier::new(check, Arc::clone(&PROVIDER));
    let mut config = with_versions(ClientConfig::builder_with_details(offer.provider(), time), offer)
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(own);
    config.resumption = without_sessions(offer);
    config.alpn_protocols = alpn.to_vec();
    config
}

/// A client without a certificate of its own, for servers that `roots` vouch for by host name.
pub(crate) fn web_client(roots: RootCertStore, clock: &Clock) -> ClientConfig {
    let time = Arc::new(ClockTime(clock.clone()));
    let offer = Offer::default();
    let mut config = with_versions(ClientConfig::builder_with_details(offer.provider(), time), &offer)
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = without_sessions(&offer);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// A resumed session skips the verifier here too; only by which group a server exchanges keys is remembered.
fn without_sessions(offer: &Offer) -> Resumption {
    Resumption::store(offer.hints()).tls12_resumption(Tls12Resumption::Disabled)
}

/// A key in the form that the provider signs with.
pub(crate) fn signing_key(
    key: rustls_pki_types::PrivateKeyDer<'static>,
) -> Result<Arc<dyn rustls::sign::SigningKey>, rustls::Error> {
    PROVIDER.key_provider.load_private_key(key)
}

#[expect(clippy::expect_used, reason = "an offer has suites and groups of each of its versions")]
fn with_versions<S: rustls::ConfigSide>(
    builder: rustls::ConfigBuilder<S, rustls::WantsVersions>,
    offer: &Offer,
) -> rustls::ConfigBuilder<S, rustls::WantsVerifier> {
    builder.with_protocol_versions(offer.versions()).expect("suites of each version")
}

/// The time of our clock, as rustls asks for it.
#[derive(Debug)]
struct ClockTime(Clock);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.now().duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}

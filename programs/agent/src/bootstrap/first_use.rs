//! Trust on first use: the bundle of whoever answers as the server. It is pinned from then on.
//!
//! The one connection that is made here is used for nothing but to ask for the bundle: no token and no evidence goes
//! over it, and what comes is trusted only by an agent that was told to.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finial_daemon::{Clock, Elapsed};
use finial_identity::{Bundle, BundleSet, CLOCK_SKEW, Role, SpiffeId, TrustDomain, X509Error, X509Svid};
use finial_wire::client::BundleClient;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::codegen::http::Uri;
use tonic::transport::Endpoint;

use crate::channel::{DialError, Dialer, problem};

/// How long it may take to connect and to get the bundle.
const LIMIT: Duration = Duration::from_secs(30);

/// Why nobody was trusted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirstUseError {
    #[error("no server can be reached")]
    Dial(#[from] DialError),
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    #[error(transparent)]
    Late(#[from] Elapsed),
    #[error("the server shows no X509-SVID: check the server's address")]
    NoSvid(#[source] X509Error),
    #[error("who answers is {found}, not the server {wanted}: check the server's address")]
    Stranger { found: SpiffeId, wanted: SpiffeId },
    #[error("the server does not give its bundle: {}", problem(.0))]
    Refused(Status),
    #[error("the server's certificate does not lead to the bundle that it gives")]
    Contradiction(#[source] X509Error),
}

impl FirstUseError {
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Dial(_) | Self::Handshake(_) | Self::Late(_) | Self::Refused(_))
    }
}

/// The bundle of the first server that answers, which proves to hold a key that the bundle vouches for.
pub(super) async fn bundle(
    dialer: &Dialer,
    trust_domain: &TrustDomain,
    clock: &Clock,
) -> Result<Bundle, FirstUseError> {
    tracing::warn!(
        trust_domain = trust_domain.name(),
        "insecure_bootstrap is set: the first server that answers is trusted without being verified, and whoever \
         answers in its place controls every identity of this node"
    );
    let bundle = clock.timeout(LIMIT, ask(dialer, trust_domain, clock)).await??;
    let authorities: Vec<String> =
        bundle.x509_authorities.iter().map(finial_identity::X509Authority::subject_key_id_hex).collect();
    tracing::warn!(
        authorities = authorities.join(" "),
        "from now on this server's authorities are trusted, and no others: compare them with `finial bundle show` on \
         the server"
    );
    Ok(bundle)
}

async fn ask(dialer: &Dialer, trust_domain: &TrustDomain, clock: &Clock) -> Result<Bundle, FirstUseError> {
    let (stream, name) = dialer.dial_any().await?;
    let handshake = TlsConnector::from(Arc::new(config())).connect(name, stream);
    let stream = handshake.await.map_err(FirstUseError::Handshake)?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
    let svid = X509Svid::from_chain(chain).map_err(FirstUseError::NoSvid)?;
    let wanted = trust_domain.server_id();
    if *svid.id() != wanted {
        return Err(FirstUseError::Stranger { found: svid.id().clone(), wanted });
    }
    let once = Mutex::new(Some(stream));
    let connector = tower::service_fn(move |_: Uri| {
        let stream = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move { stream.map(TokioIo::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    });
    let channel = Endpoint::from_static("http://server").connect_with_connector_lazy(connector);
    let bundle = BundleClient::new(channel).bundle().await.map_err(FirstUseError::Refused)?;
    // It may be of any trust domain, which the caller sees to; the server must be of it.
    let bundles = BundleSet::from_iter([Arc::new(bundle.clone())]);
    let at = svid.instant_within(clock.now(), CLOCK_SKEW);
    svid.verify(&bundles, at, Role::Server).map_err(FirstUseError::Contradiction)?;
    Ok(bundle)
}

fn config() -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(Anybody(Arc::clone(&provider)));
    #[expect(clippy::expect_used, reason = "the provider has suites of both versions")]
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3 in the provider");
    let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Accepts every certificate; that the server holds its key is still verified.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

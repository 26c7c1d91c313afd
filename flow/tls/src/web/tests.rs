//! Servers of the web, good and bad.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_daemon::Clock;
use finial_receive::testing::start;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::TlsAcceptor;

use super::WebConnector;
use crate::TlsError;

fn root() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Offers `client` a server whose certificate `root` signed for `bundle.example.org`.
async fn meet(
    root: &CertifiedIssuer<'_, KeyPair>,
    client: &WebConnector,
    name: &str,
) -> Result<(), TlsError> {
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(["bundle.example.org".to_owned()]).unwrap().signed_by(&key, root).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let (near, far) = tokio::io::duplex(16 << 10);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (connected, _) = tokio::join!(client.connect(near, name), acceptor.accept(far));
    connected.map(|_| ())
}

fn trusting(root: CertificateDer<'static>) -> WebConnector {
    let (clock, _hand) = Clock::manual(start());
    WebConnector::with_roots([root], &clock).unwrap()
}

#[tokio::test]
async fn a_server_of_the_name_that_a_root_vouches_for_is_accepted() {
    let root = root();
    meet(&root, &trusting(root.der().clone()), "bundle.example.org").await.unwrap();
}

#[tokio::test]
async fn a_server_of_another_name_is_refused() {
    let root = root();
    let error = meet(&root, &trusting(root.der().clone()), "other.example.org").await.unwrap_err();
    assert!(matches!(error, TlsError::Handshake(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_no_root_vouches_for_is_refused() {
    let (mine, theirs) = (root(), root());
    let error = meet(&theirs, &trusting(mine.der().clone()), "bundle.example.org").await.unwrap_err();
    assert!(matches!(error, TlsError::Handshake(_)), "{error:?}");
}

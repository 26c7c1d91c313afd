//! A kubelet for tests, which answers what it is told to, or nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use finial_daemon::{Clock, Tasks};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serves one answer for each connection.
pub(crate) struct FakeKubelet {
    port: u16,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: Tasks,
}

/// What the kubelet does with a question.
pub(crate) enum Answer {
    /// An HTTP status and a body.
    Says(u16, String),
    /// Bytes, and then the end of the connection.
    Writes(Vec<u8>),
    /// Nothing, for ever.
    Hangs,
}

impl FakeKubelet {
    pub(crate) async fn plain(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start(None, answers).await
    }

    pub(crate) async fn secure(tls: ServerConfig, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start(Some(TlsAcceptor::from(Arc::new(tls))), answers).await
    }

    async fn start(tls: Option<TlsAcceptor>, answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answers, requests) = (Arc::new(Mutex::new(answers.into_iter().collect())), Arc::default());
        let tasks = Tasks::new(Clock::system());
        tasks.spawn("kubelet", serve(listener, tls, Arc::clone(&answers), Arc::clone(&requests)));
        Self { port, answers, requests, _tasks: tasks }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The head of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let mut silent: Vec<Box<dyn Send>> = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        let mut stream: Box<dyn Stream> = match &tls {
            None => Box::new(stream),
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => Box::new(stream),
                Err(_) => continue,
            },
        };
        let head = head(&mut stream).await;
        requests.lock().unwrap().push(head);
        let answer = answers.lock().unwrap().pop_front();
        let bytes = match answer {
            Some(Answer::Says(status, body)) => {
                let length = body.len();
                format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
            }
            Some(Answer::Writes(bytes)) => bytes,
            Some(Answer::Hangs) | None => {
                silent.push(Box::new(stream));
                continue;
            }
        };
        // Who asks may have had enough.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn head(stream: &mut Box<dyn Stream>) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// The authority of a cluster.
pub(crate) struct Cluster(CertifiedIssuer<'static, KeyPair>);

impl Cluster {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, self.0.pem()).unwrap();
    }

    /// A certificate for both roles and its key, in PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// The TLS of a kubelet that is called `name`, and that wants certificates of its clients or not.
    pub(crate) fn tls(&self, name: &str, wants_certificates: bool) -> ServerConfig {
        let (certificate, key) = self.issue(name);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if wants_certificates {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(chain, key).unwrap()
    }
}

//! One GET for one small document, over TLS or a Unix socket, bounded in time and size.

use std::fmt::Write;
use std::io;
use std::time::Duration;

use finial_daemon::{Clock, Elapsed};
use finial_tls::{TlsError, WebConnector};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, LOCATION, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::config::BundleUrl;

/// How long one GET may take, from the look-up of the name to the last byte.
const LIMIT: Duration = Duration::from_secs(20);
/// The largest document: a thousand authorities.
const MAX_BYTES: usize = 1 << 20;
/// How much of what a server says is quoted, in characters.
const MAX_QUOTED: usize = 200;
const HTTPS: u16 = 443;
const AGENT: &str = concat!("finial-agent/", env!("CARGO_PKG_VERSION"));

/// Fetches documents. Redirects are not followed: whoever may redirect an agent may choose its trust.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// `None` when nothing is fetched over https.
    web: Option<WebConnector>,
    clock: Clock,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("`{0}` is no host name")]
    Host(String),
    #[error("it cannot be connected to")]
    Connect(#[source] io::Error),
    #[error(
        "its certificate is not trusted: add its authority to those of the operating system, or set SSL_CERT_FILE"
    )]
    Untrusted(#[source] TlsError),
    #[error("the connection cannot be secured")]
    Tls(#[source] TlsError),
    #[error("it does not speak HTTP/1.1 to the end")]
    Protocol(#[from] hyper::Error),
    #[error("it redirects to {0}, which is not followed: give the final URL")]
    Redirect(String),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its answer is larger than {MAX_BYTES} bytes, which no trust bundle is")]
    TooLarge,
    #[error("its answer broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Late(#[from] Elapsed),
}

impl HttpError {
    /// Whether the same question may get an answer a little later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Tls(_) | Self::Protocol(_) | Self::Body(_) | Self::Late(_) => true,
            Self::Status(status) => {
                status.is_server_error()
                    || *status == StatusCode::TOO_MANY_REQUESTS
                    || *status == StatusCode::REQUEST_TIMEOUT
            }
            Self::Host(_) | Self::Untrusted(_) | Self::Redirect(_) | Self::TooLarge => false,
        }
    }
}

impl Client {
    pub(super) fn new(web: Option<WebConnector>, clock: &Clock) -> Self {
        Self { web, clock: clock.clone() }
    }

    /// The body of the answer 200; `query` is added to the URL's own.
    pub(super) async fn get(&self, url: &BundleUrl, query: Option<&str>) -> Result<Vec<u8>, HttpError> {
        self.clock.timeout(LIMIT, self.exchange(url, query)).await?
    }

    async fn exchange(&self, url: &BundleUrl, query: Option<&str>) -> Result<Vec<u8>, HttpError> {
        let request = request(url, query)?;
        if let Some(socket) = url.socket() {
            return ask(UnixStream::connect(socket).await.map_err(HttpError::Connect)?, request).await;
        }
        let host = url.uri().host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| HttpError::Host(host.to_owned()))?;
        let Some(web) = &self.web else { return Err(HttpError::Host(host.to_owned())) };
        let address = (host, url.uri().port_u16().unwrap_or(HTTPS));
        let stream = TcpStream::connect(address).await.map_err(HttpError::Connect)?;
        ask(web.connect(stream, name).await.map_err(tls)?, request).await
    }
}

/// A value as a query has it (RFC 3986 §2.3).
pub(super) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(byte.into());
        } else {
            // Writing to a text does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn request(url: &BundleUrl, query: Option<&str>) -> Result<Request<Empty<&'static [u8]>>, HttpError> {
    let host = url.uri().authority().map(|authority| authority.as_str()).unwrap_or_default();
    let queries: Vec<&str> = url.uri().query().into_iter().chain(query).collect();
    let path = match queries.as_slice() {
        [] => url.uri().path().to_owned(),
        queries => format!("{}?{}", url.uri().path(), queries.join("&")),
    };
    let request = Request::get(path).header(HOST, host).header(USER_AGENT, AGENT).body(Empty::new());
    request.map_err(|_| HttpError::Host(host.to_owned()))
}

async fn ask<S>(stream: S, request: Request<Empty<&'static [u8]>>) -> Result<Vec<u8>, HttpError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        match answer.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => {
                let place = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok());
                return Err(HttpError::Redirect(
                    place.unwrap_or("nowhere").chars().take(MAX_QUOTED).collect(),
                ));
            }
            status => return Err(HttpError::Status(status)),
        }
        let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
        body.map(|body| body.to_bytes().to_vec()).map_err(|error| {
            if error.is::<LengthLimitError>() { HttpError::TooLarge } else { HttpError::Body(error) }
        })
    };
    // What the connection says in the end is said by the exchange as well, which may still have bytes to read.
    let driver = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = exchange => answer,
        never = driver => never,
    }
}

/// What becomes of the bytes that a web server answers with, whatever they are. For tests of other crates.
///
/// # Errors
/// Why there is no document, in words.
#[cfg(feature = "testing")]
pub async fn fetched_document(answer: &[u8]) -> Result<Vec<u8>, String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (ours, mut theirs) = tokio::io::duplex(1 << 10);
    let request =
        Request::get("/").header(HOST, "localhost").body(Empty::new()).map_err(|error| error.to_string())?;
    let server = async {
        // Who answers before it is asked is no server.
        let _ = theirs.read(&mut [0; 1]).await;
        let _ = theirs.write_all(answer).await;
        drop(theirs);
        std::future::pending().await
    };
    tokio::select! {
        answer = ask(ours, request) => answer.map_err(|error| error.to_string()),
        never = server => never,
    }
}

fn tls(error: TlsError) -> HttpError {
    let cause = match &error {
        TlsError::Handshake(cause) => cause.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()),
        _ => None,
    };
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => HttpError::Untrusted(error),
        _ => HttpError::Tls(error),
    }
}

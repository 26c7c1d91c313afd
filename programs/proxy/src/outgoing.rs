//! HTTP requests of the proxy's own: how the target is, and metrics for whoever collects them.

#[cfg(test)]
mod tests;
mod url;

use bytes::Bytes;
use finial_daemon::Clock;
use finial_tls::{TlsError, WebConnector, WebRootsError};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;

pub use url::{HttpUrl, HttpUrlError};

/// The longest head of an answer, in bytes. Bodies are not read.
const HEAD: usize = 16 * 1024;

/// A place that HTTP requests go to. Where they go by https, its certificate is verified as the operating system
/// trusts, which is asked at the first request.
#[derive(Debug)]
pub(crate) struct Site {
    url: HttpUrl,
    tls: OnceCell<WebConnector>,
    clock: Clock,
}

/// A request has brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error(transparent)]
    Roots(#[from] WebRootsError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

impl Site {
    pub(crate) fn new(url: HttpUrl, clock: &Clock) -> Self {
        Self { url, tls: OnceCell::new(), clock: clock.clone() }
    }

    pub(crate) fn url(&self) -> &HttpUrl {
        &self.url
    }

    /// Asks over a connection that leads there. Redirections are answers like any other.
    pub(crate) async fn ask<S>(&self, stream: S) -> Result<StatusCode, RequestError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.send(stream, self.request()).await
    }

    /// Gives it JSON over a connection that leads there.
    pub(crate) async fn post<S>(&self, stream: S, json: String) -> Result<StatusCode, RequestError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut request = self.request().map(|_| Full::from(json));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(stream, request).await
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.url.path().into();
        request.headers_mut().insert(HOST, self.url.host());
        if let Some(login) = self.url.authorization() {
            request.headers_mut().insert(AUTHORIZATION, login);
        }
        request
    }

    async fn send<S>(&self, stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, RequestError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.url.server_name() {
            Some(name) => exchange(self.tls().await?.connect(stream, name).await?, request).await,
            None => exchange(stream, request).await,
        }
    }

    async fn tls(&self) -> Result<&WebConnector, WebRootsError> {
        self.tls.get_or_try_init(async || WebConnector::with_system_roots(&self.clock)).await
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, RequestError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = http1::Builder::new();
    let (mut sender, connection) = client.max_buf_size(HEAD).handshake(TokioIo::new(stream)).await?;
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // It may have ended with the answer.
        _ = connection => answer.await,
    };
    Ok(answer?.status())
}

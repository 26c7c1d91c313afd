//! Reaching a target: one after the other until one answers, before a byte of the caller is taken.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use finial_daemon::Elapsed;
use finial_tls::TlsError;
use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::Proxy;
use crate::Address;
use crate::ahead::ReadAhead;
use crate::lines::{Chain, excerpt};
use crate::metrics::Failure;
use crate::outgoing::{RequestError, Site};
use crate::pipe::End;
use crate::plain::{self, Plain};
use crate::proxy_protocol::ProxyProtocol;
use crate::side::{Back, Met, Side};
use crate::targets::{Lease, Search, Target};
use crate::upstream::UpstreamError;

/// The target could not be reached, or not as itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    TooSlow(#[from] Elapsed),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The target does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    TooSlow(#[from] Elapsed),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("target returned status: {0}")]
    Status(u16),
}

impl Proxy {
    /// The header stands before the first byte of the caller, and is the proxy's own: nothing of the caller can come
    /// before it.
    pub(crate) async fn dial_backend(&self, header: Option<&[u8]>) -> Result<(Plain, Lease), DialError> {
        let mut search = self.search();
        while let Some((lease, limit)) = search.next() {
            let dialled = self.dial_plain(lease.target(), header, limit).await;
            if let Some(stream) = self.note(&mut search, &lease, dialled) {
                return Ok((stream, lease));
            }
        }
        Err(unreached(search))
    }

    pub(super) async fn dial_secured(
        &self,
        back: &Back,
    ) -> Result<(Met<impl AsyncRead + End + use<>>, Lease), DialError> {
        let mut search = self.search();
        while let Some((lease, limit)) = search.next() {
            match self.dial_server(back, lease.target(), limit).await {
                // Of the target this says nothing.
                Err(DialError::Tls(error @ (TlsError::NotLive(_) | TlsError::Key { .. }))) => {
                    return Err(error.into());
                }
                dialled => {
                    if let Some(met) = self.note(&mut search, &lease, dialled) {
                        return Ok((met, lease));
                    }
                }
            }
        }
        Err(unreached(search))
    }

    /// Reaches the target as for a caller, asks it how it is if there is something to ask, and leaves it again. Of several
    /// one is enough.
    pub(crate) async fn check_target(&self) -> Result<(), CheckError> {
        let site = self.site.as_ref();
        // On the heap: TLS inside of TLS is large.
        let status = match &self.side {
            Side::Server(_) => {
                let header = self.header_of_no_caller(site);
                let (stream, _lease) = self.dial_backend(header.as_deref()).await?;
                Box::pin(self.ask(stream, site)).await?
            }
            Side::Client(back) => {
                let (met, _lease) = self.dial_secured(back).await?;
                Box::pin(self.ask(met.stream, site)).await?
            }
        };
        match status {
            None | Some(StatusCode::OK) => Ok(()),
            Some(other) => Err(CheckError::Status(other.as_u16())),
        }
    }

    /// The same with one target, whatever is thought of it, and another question.
    pub(super) async fn visit(
        &self,
        target: &Target,
        site: Option<&Site>,
    ) -> Result<Option<StatusCode>, CheckError> {
        let limit = self.limits.connect_timeout;
        match &self.side {
            Side::Server(_) => {
                let header = self.header_of_no_caller(site);
                let stream = self.dial_plain(target, header.as_deref(), limit).await?;
                Box::pin(self.ask(stream, site)).await
            }
            Side::Client(back) => {
                let met = self.dial_server(back, target, limit).await?;
                Box::pin(self.ask(met.stream, site)).await
            }
        }
    }

    /// A backend that awaits the PROXY protocol is told that nobody called.
    fn header_of_no_caller(&self, site: Option<&Site>) -> Option<Vec<u8>> {
        self.proxy_protocol.and(site).map(|_| ProxyProtocol::local())
    }

    async fn ask<S>(&self, stream: S, site: Option<&Site>) -> Result<Option<StatusCode>, CheckError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(site) = site else { return Ok(None) };
        Ok(Some(self.clock().timeout(self.limits.connect_timeout, site.ask(stream)).await??))
    }

    async fn dial_plain(
        &self,
        target: &Target,
        header: Option<&[u8]>,
        limit: Duration,
    ) -> Result<Plain, DialError> {
        let mut stream = plain::dial(target.address(), &self.names, (limit, self.clock())).await?;
        if let Some(header) = header {
            self.clock().timeout(limit, stream.write_all(header)).await??;
        }
        Ok(stream)
    }

    /// By the way of the configured proxy, if any.
    async fn dial_server(
        &self,
        back: &Back,
        target: &Target,
        limit: Duration,
    ) -> Result<Met<impl AsyncRead + End + use<>>, DialError> {
        let (names, clock) = (&self.names, self.clock());
        let secured = async {
            let stream = match (&self.upstream, target.address()) {
                (Some(upstream), Address::Tcp { host, port }) => {
                    let mut stream = plain::dial(upstream.address(), names, (limit, clock)).await?;
                    upstream.lead(&mut stream, host, *port).await?;
                    stream
                }
                _ => plain::dial(target.address(), names, (limit, clock)).await?,
            };
            Ok(back.connect(ReadAhead::new(stream, &self.pool), target.server_name()).await?)
        };
        clock.timeout(limit, secured).await?
    }

    fn search(&self) -> Search<DialError> {
        self.targets.search(self.clock(), self.limits.connect_timeout)
    }

    fn note<T>(
        &self,
        search: &mut Search<DialError>,
        lease: &Lease,
        dialled: Result<T, DialError>,
    ) -> Option<T> {
        if let Err(error) = &dialled
            && search.has_more()
            && !self.quiet.connection_errors
        {
            let target = lease.target().network_address();
            tracing::warn!("error on dial of {target}, trying the next target: {}", Chain(error));
        }
        search.note(lease, dialled)
    }
}

fn unreached(search: Search<DialError>) -> DialError {
    // A configuration without a target is refused.
    search.failure().unwrap_or_else(|| DialError::Io(io::Error::other("there is no target")))
}

impl DialError {
    pub(super) fn stranger(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Tls(error) => stranger(error),
            Self::Io(_) | Self::TooSlow(_) | Self::Upstream(_) => None,
        }
    }

    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Tls(error) => failure(error),
            Self::TooSlow(_) => Failure::Slow,
            Self::Io(_) | Self::Upstream(_) => Failure::Refused,
        }
    }
}

/// Who was verified and is not permitted.
pub(super) fn stranger(error: &TlsError) -> Option<Cow<'_, str>> {
    match error {
        TlsError::Unauthorized { id } | TlsError::WrongHost { id, .. } => Some(id.as_str().into()),
        TlsError::UnauthorizedWeb { subject } | TlsError::WrongName { subject, .. } => {
            Some(excerpt(subject).into())
        }
        TlsError::UnauthorizedKey { pin } => Some(pin.to_string().into()),
        _ => None,
    }
}

pub(super) fn failure(error: &TlsError) -> Failure {
    match error {
        TlsError::Timeout(_) => Failure::Slow,
        _ if stranger(error).is_some() => Failure::Rejected,
        _ => Failure::Refused,
    }
}

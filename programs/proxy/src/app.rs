//! The proxy as a program: everything is bound and the identity is there, then it runs, then it drains.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_receive::{NotLive, Source, WebFiles, WebSource};
use tokio::sync::Notify;

use crate::accept::{self, Listener};
use crate::config::{Limits, Own, Plan, StatusFlags};
use crate::proxy::Proxy;
use crate::side::{Front, Identity};
use crate::status::{self, Status};
use crate::{Address, Config, ProxyError, StatusAddress};

/// For what is not a connection, once all connections have ended.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// A proxy that is bound and has its identity, and accepts nobody yet.
#[derive(Debug)]
pub struct App {
    proxy: Arc<Proxy>,
    listen: Address,
    listener: Listener,
    status: Option<Listener>,
    /// By HTTPS.
    status_tls: bool,
    status_flags: StatusFlags,
    limits: Limits,
    clock: Clock,
    reloader: Reloader,
    /// The connections of callers.
    sessions: Tasks,
    /// What must go on while connections drain: the identity, and the status.
    lasting: Tasks,
}

/// Asks a running proxy to read its files again.
#[derive(Clone, Debug)]
pub struct Reloader {
    identity: Identity,
}

impl Reloader {
    /// Reads the certificate files again, soon. Without effect with the Workload API, which tells by itself.
    pub fn reload(&self) {
        if let Identity::Web(source) = &self.identity {
            source.reload();
        }
    }

    /// How many generations were refused, since they could not be read or did not belong together.
    pub fn refused(&self) -> u64 {
        match &self.identity {
            Identity::Spiffe(source) => source.refused(),
            Identity::Web(source) => source.refused(),
        }
    }
}

/// Checks the configuration, binds, and waits for the first SVID.
///
/// Callers that connect meanwhile wait in the backlog. Must be called inside a Tokio runtime.
///
/// # Errors
/// With the rule that the configuration breaks, the address that cannot be bound, or why there is no identity within
/// [`Limits::workload_api_timeout`].
pub async fn build(config: impl Into<Config>, clock: &Clock) -> Result<App, ProxyError> {
    let plan = Plan::new(config.into())?;
    let lasting = Tasks::new(clock.clone());
    let identity = match &plan.own {
        Own::WorkloadApi(endpoint) => {
            tracing::info!("using SPIFFE Workload API as certificate source");
            Identity::Spiffe(Source::from_workload_api(endpoint, clock, &lasting))
        }
        Own::Files { files, every } => {
            tracing::info!("{}", certificate_source(files));
            let read = WebSource::from_files(files.clone(), *every, clock, &lasting).await;
            Identity::Web(read.map_err(ProxyError::Files)?)
        }
    };
    assemble(plan, identity, lasting).await
}

/// In ghostunnel's words.
fn certificate_source(files: &WebFiles) -> &'static str {
    match &files.own {
        None => "no cert source configured -- running without certificate",
        Some(pair) if pair.certificate == pair.key => "using keystore file on disk as certificate source",
        Some(_) => "using cert/key files on disk as certificate source",
    }
}

pub(crate) async fn assemble(plan: Plan, identity: Identity, lasting: Tasks) -> Result<App, ProxyError> {
    let (listen, limits, clock) = (plan.listen.clone(), plan.limits.clone(), identity.clock().clone());
    let listener = Listener::bind(&listen, &clock).await?;
    let status_tls = plan.status_address.as_ref().is_some_and(|address| address.tls);
    let status = match &plan.status_address {
        Some(StatusAddress { address, .. }) => Some(Listener::bind(address, &clock).await?),
        None => None,
    };
    let status_flags = plan.status.clone();
    if let Identity::Spiffe(source) = &identity {
        first_identity(source, limits.workload_api_timeout).await.map_err(ProxyError::NoIdentity)?;
    }
    tracing::info!("using target address {}", plan.target);
    let reloader = Reloader { identity: identity.clone() };
    let proxy = Arc::new(Proxy::new(plan, identity));
    let sessions = Tasks::new(clock.clone());
    Ok(App {
        proxy,
        listen,
        listener,
        status,
        status_tls,
        status_flags,
        limits,
        clock,
        reloader,
        sessions,
        lasting,
    })
}

/// When the time runs out, the error is why there is no identity by then.
async fn first_identity(source: &Source, limit: Duration) -> Result<(), NotLive> {
    if limit.is_zero() {
        return source.ready().await.map(drop);
    }
    match source.clock().timeout(limit, source.ready()).await {
        Ok(ready) => ready.map(drop),
        Err(_) => source.context().map(drop),
    }
}

impl App {
    /// Where callers connect; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.address()
    }

    /// Where the status is served; `None` without one, and for a Unix socket.
    pub fn status_address(&self) -> Option<SocketAddr> {
        self.status.as_ref().and_then(Listener::address)
    }

    /// For whoever knows when to read files again, such as a handler of signals.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until `until` resolves, then accepts no more, and waits for open connections.
    ///
    /// # Errors
    /// [`ProxyError::Forced`] when connections had to be cut after [`Limits::shutdown_timeout`];
    /// [`ProxyError::Panicked`] when a part of the proxy failed, which ends it.
    pub async fn run(self, until: impl Future<Output = ()>) -> Result<(), ProxyError> {
        let listen_address =
            self.listener.address().map_or(self.listen.to_string(), |address| address.to_string());
        let shutdown = self.status_flags.shutdown.then(Arc::<Notify>::default);
        let told = Arc::new(self.told(listen_address.clone(), shutdown.clone()));
        let Self { proxy, listener, status, limits, sessions, lasting, .. } = self;
        if let Some(status) = status {
            let answer = move |stream| {
                let told = Arc::clone(&told);
                async move { told.serve(stream).await }
            };
            lasting.spawn(
                "status",
                accept::serve(status, status::CONNECTIONS, lasting.clone(), "status", answer),
            );
        }
        let drain = sessions.drain();
        let serve = move |caller| {
            let (proxy, drain) = (Arc::clone(&proxy), drain.clone());
            async move { proxy.serve(caller, &drain).await }
        };
        let accepting = accept::serve(listener, limits.connections, sessions.clone(), "pipe", serve);
        sessions.spawn("callers", accepting);
        tracing::info!("listening for connections on {listen_address}");
        let (failed, fallen) = (lasting.drain(), sessions.drain());
        tokio::select! {
            () = until => {}
            () = asked_for(shutdown.as_deref()) => {}
            () = failed.requested() => {}
            () = fallen.requested() => {}
        }
        tracing::info!("shutdown proxy, waiting for drain");
        let drained = sessions.stop(limits.shutdown_timeout).await;
        lasting.stop(LAST_GRACE).await;
        match lasting.panicked().or(sessions.panicked()) {
            Some(name) => Err(ProxyError::Panicked(name)),
            None if drained => Ok(()),
            None => Err(ProxyError::Forced { limit: limits.shutdown_timeout }),
        }
    }

    /// What the status server tells.
    fn told(&self, listen_address: String, shutdown: Option<Arc<Notify>>) -> Status {
        let identity = self.proxy.identity();
        let front = (self.status_tls && identity.can_serve())
            .then(|| Front::open(identity, self.limits.connect_timeout));
        Status {
            proxy: Arc::clone(&self.proxy),
            front,
            listen_address,
            stopping: self.sessions.drain(),
            shutdown,
            hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            clock: self.clock.clone(),
            began: self.clock.now(),
        }
    }
}

/// Never, where nobody may ask.
async fn asked_for(shutdown: Option<&Notify>) {
    match shutdown {
        Some(shutdown) => shutdown.notified().await,
        None => std::future::pending().await,
    }
}

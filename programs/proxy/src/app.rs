//! The proxy as a program: everything is bound and the identity is there, then it runs, then it drains.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, Readiness, ReadyGuard, Tasks};
use finial_receive::{NotLive, Source};
use futures_util::future::join_all;
use tokio::sync::{Notify, watch};

use crate::accept::{Listener, PassedSockets};
use crate::config::{Named, StatusFlags};
use crate::gate::Gate;
use crate::identities::Identities;
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use crate::side::{Front, Identity};
use crate::status::{self, Status};
use crate::{Config, ProxyError, StatusAddress};

/// For what is not a connection, once all connections have ended.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// Proxies that are bound and have their identities, and accept nobody yet.
#[derive(Debug)]
pub struct App {
    gates: watch::Sender<Vec<Arc<Gate>>>,
    identities: Identities,
    status_address: Option<SocketAddr>,
    /// Told when somebody asks for the end; nobody may without it.
    shutdown: Option<Arc<Notify>>,
    /// Held until callers are accepted.
    starting: Option<ReadyGuard>,
    /// What accepts. Asked to end, the process is stopping.
    listening: Tasks,
    /// What must go on while connections drain: the identities, and the status.
    lasting: Tasks,
}

/// Asks a running proxy to read its files again.
#[derive(Clone, Debug)]
pub struct Reloader {
    identities: Identities,
}

impl Reloader {
    /// Reads the certificate files again, soon. Without effect with the Workload API, which tells by itself.
    pub fn reload(&self) {
        self.identities.reload();
    }

    /// How many generations were refused, since they could not be read or did not belong together.
    pub fn refused(&self) -> u64 {
        self.identities.refused()
    }
}

/// Checks the configuration, binds, and waits for the first SVID.
///
/// Callers that connect meanwhile wait in the backlog. Must be called inside a Tokio runtime.
///
/// # Errors
/// With the rule that the configuration breaks, the address that cannot be bound, or why there is no identity within
/// [`Limits::workload_api_timeout`](crate::Limits::workload_api_timeout).
pub async fn build(config: impl Into<Config>, clock: &Clock) -> Result<App, ProxyError> {
    let named = Named::new(String::new(), config.into())?;
    let lasting = Tasks::new(clock.clone());
    let status = named.plan.status.clone();
    assemble(vec![named], status, Identities::new(clock, &lasting), lasting).await
}

pub(crate) async fn assemble(
    configured: Vec<Named>,
    status_flags: StatusFlags,
    identities: Identities,
    lasting: Tasks,
) -> Result<App, ProxyError> {
    let (clock, mut passed) = (identities.clock().clone(), PassedSockets::from_env());
    for named in &configured {
        identities.open(&named.plan.own).await?;
    }
    let mut bound = Vec::new();
    for named in configured {
        bound.push((Listener::bind(&named.plan.listen, &mut passed, &clock).await?, named));
    }
    let status_address = status_flags.address()?;
    let status = match &status_address {
        Some(StatusAddress { address, .. }) => Some(Listener::bind(address, &mut passed, &clock).await?),
        None => None,
    };
    let metrics = Arc::new(Metrics::new(status_flags.metrics_prefix.clone(), &clock));
    let mut gates = Vec::new();
    for (listener, named) in bound {
        let identity = identities.open(&named.plan.own).await?;
        let proxy = Proxy::new(named, identity, Arc::clone(&metrics));
        gates.push(Arc::new(Gate::new(listener, proxy, &clock)));
    }
    let readiness = Readiness::new();
    let app = App {
        gates: watch::Sender::new(gates),
        identities,
        status_address: status.as_ref().and_then(Listener::address),
        shutdown: status_flags.shutdown.then(Arc::default),
        starting: Some(readiness.guard("callers")),
        listening: Tasks::new(clock),
        lasting,
    };
    if let Some(listener) = status {
        let tls = status_address.is_some_and(|address| address.tls);
        status::start(listener, app.status(metrics, readiness, tls), &app.lasting);
    }
    match app.first_identities().await {
        Ok(()) => Ok(app),
        Err(error) => {
            app.lasting.drain().request();
            Err(error)
        }
    }
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
    /// Where callers of the first proxy connect; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.gates.borrow().first().and_then(|gate| gate.address())
    }

    /// Where the status is served; `None` without one, and for a Unix socket.
    pub fn status_address(&self) -> Option<SocketAddr> {
        self.status_address
    }

    /// For whoever knows when to read files again, such as a handler of signals.
    pub fn reloader(&self) -> Reloader {
        Reloader { identities: self.identities.clone() }
    }

    /// Serves until `until` resolves, then accepts no more, and waits for open connections.
    ///
    /// # Errors
    /// [`ProxyError::Forced`] when connections had to be cut after
    /// [`Limits::shutdown_timeout`](crate::Limits::shutdown_timeout); [`ProxyError::Panicked`] when a part of the
    /// process failed, which ends it.
    pub async fn run(mut self, until: impl Future<Output = ()>) -> Result<(), ProxyError> {
        for gate in self.gates.borrow().iter() {
            gate.open(&self.listening);
        }
        drop(self.starting.take());
        let (failed, fallen) = (self.lasting.drain(), self.listening.drain());
        tokio::select! {
            () = until => {}
            () = asked_for(self.shutdown.as_deref()) => {}
            () = failed.requested() => {}
            () = fallen.requested() => {}
        }
        tracing::info!("shutdown proxy, waiting for drain");
        self.stop().await
    }

    async fn stop(self) -> Result<(), ProxyError> {
        self.listening.drain().request();
        let gates = self.gates.borrow().clone();
        let closed = join_all(gates.iter().map(|gate| gate.close())).await;
        self.listening.stop(LAST_GRACE).await;
        self.lasting.stop(LAST_GRACE).await;
        match self.lasting.panicked().or(self.listening.panicked()) {
            Some(name) => Err(ProxyError::Panicked(name)),
            None => closed.into_iter().collect(),
        }
    }

    async fn first_identities(&self) -> Result<(), ProxyError> {
        let gates = self.gates.borrow().clone();
        for proxy in gates.iter().map(|gate| gate.proxy()) {
            if let Identity::Spiffe(source) = proxy.identity() {
                let limit = proxy.limits().workload_api_timeout;
                first_identity(source, limit).await.map_err(ProxyError::NoIdentity)?;
            }
            tracing::info!("using target address {}", proxy.target());
        }
        Ok(())
    }

    /// What the status server tells, by HTTPS if it can.
    fn status(&self, metrics: Arc<Metrics>, readiness: Readiness, tls: bool) -> Status {
        let proxies = self.gates.borrow().iter().map(|gate| gate.proxy()).collect::<Vec<_>>();
        let able = proxies.iter().find(|proxy| tls && proxy.identity().can_serve());
        let front = able.map(|proxy| Front::open(proxy.identity(), proxy.limits().connect_timeout));
        let clock = self.identities.clock();
        Status {
            gates: self.gates.subscribe(),
            metrics,
            front,
            readiness,
            stopping: self.listening.drain(),
            shutdown: self.shutdown.clone(),
            hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            clock: clock.clone(),
            began: clock.now(),
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

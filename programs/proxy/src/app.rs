//! The proxy as a program: everything is bound and the identity is there, then it runs, then it drains.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::confine::Reach;
use finial_daemon::{Clock, Readiness, ReadyGuard, Supervisor, Tasks, memory};
use tokio::net::lookup_host;
use tokio::sync::Notify;

use crate::accept::{Listener, PassedSockets};
use crate::announcer::Announcer;
use crate::config::{Named, StatusFlags};
use crate::fleet::Fleet;
use crate::identities::Identities;
use crate::metrics::{Exporter, Metrics};
use crate::reload::{Reloader, Watched};
use crate::sinks;
use crate::status::{self, Status};
use crate::{Address, Config, ProxyError, ProxyFile};

/// For what is not a connection, once all connections have ended.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// Proxies that are bound and have their identities, and accept nobody yet.
#[derive(Debug)]
pub struct App {
    fleet: Fleet,
    reloader: Reloader,
    /// Where the configuration is a file.
    watched: Option<Watched>,
    status_address: Option<SocketAddr>,
    /// Told when somebody asks for the end; nobody may without it.
    shutdown: Option<Arc<Notify>>,
    /// Held until callers are accepted.
    starting: Option<ReadyGuard>,
    announcer: Announcer,
    clock: Clock,
    /// What must go on while connections drain: the identities, and the status.
    lasting: Tasks,
}

/// Checks the configuration of one proxy, binds, and waits for the first SVID.
///
/// Callers that connect meanwhile wait in the backlog. Must be called inside a Tokio runtime.
///
/// # Errors
/// With the rule that the configuration breaks, the address that cannot be bound, or why there is no identity within
/// [`Limits::workload_api_timeout`](crate::Limits::workload_api_timeout).
pub async fn build(config: impl Into<Config>, clock: &Clock) -> Result<App, ProxyError> {
    let named = Named::new(String::new(), config.into())?;
    if named.plan.resolves {
        for target in &named.plan.targets {
            resolve(&target.address, named.plan.limits.connect_timeout, clock).await?;
        }
    }
    let lasting = Tasks::new(clock.clone());
    let status = named.plan.status.clone();
    assemble(vec![named], status, Identities::new(clock, &lasting), lasting).await
}

/// Finds out whether the name of the target is known. Dials ask again, once a second at most.
async fn resolve(target: &Address, limit: Duration, clock: &Clock) -> Result<(), ProxyError> {
    let Address::Tcp { host, port } = target else { return Ok(()) };
    if host.is_empty() {
        return Ok(());
    }
    let asked = clock.timeout(limit, lookup_host((host.as_str(), *port))).await;
    let found = asked.unwrap_or_else(|elapsed| Err(io::Error::new(io::ErrorKind::TimedOut, elapsed)));
    let known = found.map(drop);
    known.map_err(|cause| ProxyError::Unresolved { target: target.clone(), cause })
}

/// The same for the proxies of a [`ProxyFile`], which is read again when the [`Reloader`] asks. A process that has
/// [confined itself](ProxyFile::confinement) gives its `reach`: what needs more is then refused by name.
///
/// # Errors
/// As [`build`], and as [`ProxyFile::read`].
pub async fn build_file(path: &Path, reach: Option<Reach>, clock: &Clock) -> Result<App, ProxyError> {
    let lasting = Tasks::new(clock.clone());
    assemble_file(path, reach, Identities::new(clock, &lasting), lasting).await
}

pub(crate) async fn assemble_file(
    path: &Path,
    reach: Option<Reach>,
    identities: Identities,
    lasting: Tasks,
) -> Result<App, ProxyError> {
    let file = ProxyFile::read(path)?;
    let (reloader, watched) = Reloader::watching(identities.clone(), (path, reach), file.status.clone());
    let status = file.status.clone();
    put_together(file.plans()?, status, identities, (reloader, Some(watched)), lasting).await
}

pub(crate) async fn assemble(
    configured: Vec<Named>,
    status_flags: StatusFlags,
    identities: Identities,
    lasting: Tasks,
) -> Result<App, ProxyError> {
    let reloader = Reloader::of_identities(identities.clone());
    put_together(configured, status_flags, identities, (reloader, None), lasting).await
}

async fn put_together(
    configured: Vec<Named>,
    status_flags: StatusFlags,
    identities: Identities,
    (reloader, watched): (Reloader, Option<Watched>),
    lasting: Tasks,
) -> Result<App, ProxyError> {
    let (clock, mut passed) = (identities.clock().clone(), PassedSockets::from_env());
    let status_address = status_flags.address()?;
    let status = match &status_address {
        Some(status) => Some(Listener::bind(&status.address, &mut passed, &clock).await?),
        None => None,
    };
    let sinks = status_flags.sinks()?;
    let metrics = Metrics::new(status_flags.metrics_prefix.clone(), &clock);
    let wanted = configured.iter().map(Named::wanted).collect::<Vec<_>>();
    let mut fleet = Fleet::new(identities.clone(), passed, metrics);
    let exporter = Exporter::new(Arc::clone(fleet.metrics()), identities);
    fleet.open_identities(&configured).await?;
    let bound = fleet.bind(&configured).await?;
    fleet.apply(configured, bound).await?;
    let readiness = Readiness::new();
    let announcer = Announcer::new(Supervisor::from_env(), fleet.gates());
    reloader.announce_by(announcer.clone());
    let app = App {
        fleet,
        reloader,
        watched,
        status_address: status.as_ref().and_then(Listener::address),
        shutdown: status_flags.shutdown.then(Arc::default),
        starting: Some(readiness.guard("callers")),
        announcer,
        clock: clock.clone(),
        lasting,
    };
    sinks::start(sinks, &exporter, &app.lasting);
    if let Some(listener) = status {
        let tls = status_address.is_some_and(|address| address.tls);
        status::start(listener, app.status(exporter, readiness, (tls, status_flags.pprof)), &app.lasting);
    }
    match app.fleet.identified(&wanted).await {
        Ok(()) => Ok(app),
        Err(error) => {
            app.lasting.drain().request();
            Err(error)
        }
    }
}

impl App {
    /// Where callers of the first proxy connect; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.fleet.gates().borrow().first().and_then(|gate| gate.address())
    }

    /// Where callers of the proxy of this name connect; `None` for a Unix socket, and where there is no such proxy.
    pub fn address_of(&self, name: &str) -> Option<SocketAddr> {
        let gates = self.fleet.gates();
        let gates = gates.borrow();
        gates.iter().find(|gate| gate.proxy().name() == name).and_then(|gate| gate.address())
    }

    /// Where the status is served; `None` without one, and for a Unix socket.
    pub fn status_address(&self) -> Option<SocketAddr> {
        self.status_address
    }

    /// For whoever knows when to read files again, such as a handler of signals.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until `until` resolves, then accepts no more, and waits for open connections.
    ///
    /// # Errors
    /// [`ProxyError::Forced`] when connections had to be cut after
    /// [`Limits::shutdown_timeout`](crate::Limits::shutdown_timeout); [`ProxyError::Panicked`] when a part of the
    /// process failed, which ends it.
    pub async fn run(mut self, until: impl Future<Output = ()>) -> Result<(), ProxyError> {
        self.fleet.open();
        drop(self.starting.take());
        self.announcer.listening();
        memory::settle();
        self.keep_alive();
        let (failed, fallen) = (self.lasting.drain(), self.fleet.listening().drain());
        tokio::select! {
            () = until => {}
            () = asked_for(self.shutdown.as_deref()) => {}
            () = failed.requested() => {}
            () = fallen.requested() => {}
            () = heed(self.watched, &mut self.fleet) => {}
        }
        self.announcer.stopping();
        tracing::info!("shutdown proxy, waiting for drain");
        let closed = self.fleet.close(LAST_GRACE).await;
        self.lasting.stop(LAST_GRACE).await;
        match self.lasting.panicked().or(self.fleet.listening().panicked()) {
            Some(name) => Err(ProxyError::Panicked(name)),
            None => closed,
        }
    }

    /// Also while connections drain.
    fn keep_alive(&self) {
        let (announcer, clock, drain) = (self.announcer.clone(), self.clock.clone(), self.lasting.drain());
        self.lasting.spawn("signs of life", async move {
            tokio::select! {
                () = announcer.keep_alive(&clock) => {}
                () = drain.requested() => {}
            }
        });
    }

    /// What the status server tells, by HTTPS if it can.
    fn status(&self, exporter: Exporter, readiness: Readiness, (tls, pprof): (bool, bool)) -> Status {
        let (gates, clock) = (self.fleet.gates(), exporter.clock().clone());
        let secured = tls && status::front(&gates).is_some();
        Status {
            gates,
            secured,
            exporter,
            reloads: self.watched.is_some().then(|| self.reloader.reloads()),
            readiness,
            pprof,
            stopping: self.fleet.listening().drain(),
            shutdown: self.shutdown.clone(),
            began: clock.now(),
            clock,
        }
    }
}

/// Never ends; without a file there is nothing to heed.
async fn heed(watched: Option<Watched>, fleet: &mut Fleet) {
    match watched {
        Some(watched) => watched.heed(fleet).await,
        None => std::future::pending().await,
    }
}

/// Never, where nobody may ask.
async fn asked_for(shutdown: Option<&Notify>) {
    match shutdown {
        Some(shutdown) => shutdown.notified().await,
        None => std::future::pending().await,
    }
}

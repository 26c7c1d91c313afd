//! All listeners of a process, and how another configuration takes the place of the one before.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_receive::{NotLive, Source};
use futures_util::future::{join_all, try_join_all};
use tokio::sync::watch;

use crate::ProxyError;
use crate::accept::{Listener, PassedSockets};
use crate::config::{Named, Own};
use crate::gate::Gate;
use crate::identities::{Identities, Use};
use crate::identity::Identity;
use crate::lines::Chain;
use crate::metrics::Metrics;
use crate::proxy::Proxy;

/// Owns the gates. Those that a change does not name are closed, those that it names as they are stay untouched.
#[derive(Debug)]
pub(crate) struct Fleet {
    gates: watch::Sender<Vec<Arc<Gate>>>,
    /// Those that drain.
    closing: Mutex<Vec<Weak<Gate>>>,
    identities: Identities,
    metrics: Arc<Metrics>,
    passed: PassedSockets,
    clock: Clock,
    /// What accepts, and what drains. Asked to end, the process is stopping.
    listening: Tasks,
    /// Gates are opened as soon as they are there.
    open: bool,
}

/// Sockets that are bound for listeners to come, in the order of the configuration; `None` where a gate has it already.
pub(crate) struct Bound(Vec<Option<Listener>>);

/// What a change did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) added: usize,
    pub(crate) changed: usize,
    pub(crate) removed: usize,
    pub(crate) untouched: usize,
}

impl Fleet {
    /// No gates yet.
    pub(crate) fn new(identities: Identities, passed: PassedSockets, metrics: Metrics) -> Self {
        let clock = identities.clock().clone();
        Self {
            gates: watch::Sender::new(Vec::new()),
            closing: Mutex::default(),
            identities,
            metrics: Arc::new(metrics),
            passed,
            listening: Tasks::new(clock.clone()),
            clock,
            open: false,
        }
    }

    pub(crate) fn gates(&self) -> watch::Receiver<Vec<Arc<Gate>>> {
        self.gates.subscribe()
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(crate) fn listening(&self) -> &Tasks {
        &self.listening
    }

    /// Begins to accept, at the gates that are there and at those that come.
    pub(crate) fn open(&mut self) {
        self.open = true;
        for gate in self.gates.borrow().iter() {
            gate.open(&self.listening);
        }
    }

    /// Opens what is presented. Files are read; of an agent nothing is known yet.
    pub(crate) async fn open_identities(&self, configured: &[Named]) -> Result<(), ProxyError> {
        for named in configured {
            self.identities.open(&named.plan.own).await?;
            self.identities.terms(&named.plan.scrutiny).await?;
        }
        Ok(())
    }

    /// Waits for every identity, for each as long as its limit says; zero is for ever.
    pub(crate) async fn identified(&self, wanted: &[(Own, Duration)]) -> Result<(), ProxyError> {
        try_join_all(wanted.iter().map(|(own, limit)| self.identity(own, *limit))).await.map(drop)
    }

    /// Binds the sockets that no gate has. What is bound is closed again when it is dropped.
    pub(crate) async fn bind(&mut self, configured: &[Named]) -> Result<Bound, ProxyError> {
        let mut bound = Vec::new();
        for named in configured {
            bound.push(match self.gate_of(named) {
                Some(_) => None,
                None => Some(Listener::bind(&named.plan.listen, &mut self.passed, &self.clock).await?),
            });
        }
        Ok(Bound(bound))
    }

    /// Puts the configuration in the place of the one before, at once and as a whole.
    pub(crate) async fn apply(&self, configured: Vec<Named>, bound: Bound) -> Result<Changes, ProxyError> {
        let mut changes = Changes::default();
        let mut gates = Vec::new();
        for (named, listener) in configured.into_iter().zip(bound.0) {
            let gate = self.gate_of(&named);
            if let Some(gate) = gate.as_ref().filter(|gate| gate.proxy().is(&named)) {
                changes.untouched += 1;
                gates.push(Arc::clone(gate));
                continue;
            }
            let identity = self.identities.open(&named.plan.own).await?;
            let terms = self.identities.terms(&named.plan.scrutiny).await?;
            let proxy = Proxy::new(named, (identity, terms), Arc::clone(&self.metrics));
            match (gate, listener) {
                (Some(gate), _) => {
                    changes.changed += 1;
                    gate.replace(proxy);
                    gates.push(gate);
                }
                (None, Some(listener)) => {
                    changes.added += 1;
                    gates.push(Arc::new(Gate::new(listener, proxy, &self.clock)));
                }
                (None, None) => {}
            }
        }
        changes.removed = self.publish(gates);
        self.forget_identities();
        Ok(changes)
    }

    /// Identities that no gate uses end.
    pub(crate) fn forget_identities(&self) {
        let current = self.gates.borrow().iter().map(|gate| gate.proxy()).collect::<Vec<_>>();
        let closing = self.closing().iter().map(|gate| gate.proxy()).collect::<Vec<_>>();
        let used = |uses: &dyn Fn(&Proxy) -> bool| {
            if current.iter().any(|proxy| uses(proxy)) {
                Use::Current
            } else if closing.iter().any(|proxy| uses(proxy)) {
                Use::Last
            } else {
                Use::None
            }
        };
        self.identities.retain(
            |own| used(&|proxy| proxy.own() == own),
            |files| used(&|proxy| proxy.scrutiny().lists.as_ref() == Some(files)),
        );
    }

    /// The gates that drain.
    fn closing(&self) -> Vec<Arc<Gate>> {
        let mut closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        closing.retain(|gate| gate.strong_count() > 0);
        closing.iter().filter_map(Weak::upgrade).collect()
    }

    /// Accepts no more, and waits for open connections.
    ///
    /// # Errors
    /// [`ProxyError::Forced`] when some had to be cut.
    pub(crate) async fn close(&self, grace: Duration) -> Result<(), ProxyError> {
        self.listening.drain().request();
        let gates = self.gates.borrow().clone();
        let limits = gates.iter().map(|gate| gate.proxy().limits().shutdown_timeout);
        let longest = limits.max().unwrap_or_default().saturating_add(grace);
        let closed = join_all(gates.iter().map(|gate| gate.close())).await;
        // Listeners that were removed before still drain.
        self.listening.stop(longest).await;
        closed.into_iter().collect()
    }

    /// How many gates are no longer there.
    fn publish(&self, gates: Vec<Arc<Gate>>) -> usize {
        if self.open {
            gates.iter().for_each(|gate| gate.open(&self.listening));
        }
        let mut gone = self.gates.borrow().clone();
        gone.retain(|old| !gates.iter().any(|gate| Arc::ptr_eq(gate, old)));
        self.gates.send_replace(gates);
        gone.iter().for_each(|gate| self.retire(gate));
        gone.len()
    }

    /// Closes the socket at once; its connections have as long as when the process stops.
    fn retire(&self, gate: &Arc<Gate>) {
        tracing::info!("no longer listening on {}", gate.listen_address());
        gate.accept_no_more();
        self.closing.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(gate));
        let gate = Arc::clone(gate);
        self.listening.spawn_session("listener", async move {
            if let Err(error) = gate.close().await {
                tracing::warn!("{}: {}", gate.listen_address(), Chain(&error));
            }
        });
    }

    /// A socket is known by its address, so that a listener keeps it under another name; one of any port is known by
    /// its name as well.
    fn gate_of(&self, named: &Named) -> Option<Arc<Gate>> {
        let gates = self.gates.borrow();
        let gate = gates.iter().find(|gate| {
            let proxy = gate.proxy();
            *proxy.listen() == named.plan.listen
                && (!named.plan.listen.is_any_port() || proxy.name() == named.name)
        });
        gate.cloned()
    }

    async fn identity(&self, own: &Own, limit: Duration) -> Result<(), ProxyError> {
        match self.identities.open(own).await? {
            Identity::Web(_) => Ok(()),
            Identity::Spiffe(source) => first_identity(&source, limit).await.map_err(ProxyError::NoIdentity),
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

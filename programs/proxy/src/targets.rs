//! Where a proxy forwards: one target or several, the least busy of the healthy first.

mod health;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use finial_daemon::Clock;
use rustls_pki_types::ServerName;

pub(crate) use self::health::{Health, Turn};
use crate::Address;
use crate::config::PlannedTarget;

/// The targets of one proxy.
#[derive(Debug)]
pub(crate) struct Targets {
    list: Vec<Arc<Target>>,
    /// Which of several equals comes first, so that they take turns.
    turn: AtomicUsize,
}

/// One of them. What is known of its state outlives the configuration that names it.
#[derive(Debug)]
pub(crate) struct Target {
    address: Address,
    /// What the certificate of a server must be for, and what is sent as SNI.
    name: Option<ServerName<'static>>,
    /// As log lines name it.
    network_address: Arc<str>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    open: AtomicUsize,
    dials: AtomicU64,
    failures: AtomicU64,
    health: Health,
}

/// A connection to a target, counted as open until this is dropped.
#[derive(Debug)]
pub(crate) struct Lease(Arc<Target>);

/// A way through the targets for one caller: each once, until one answers.
#[derive(Debug)]
pub(crate) struct Search<E> {
    clock: Clock,
    order: std::vec::IntoIter<Arc<Target>>,
    until: Duration,
    last: Option<E>,
}

impl Targets {
    /// In the order of the configuration.
    pub(crate) fn new(planned: Vec<PlannedTarget>) -> Self {
        let target = |PlannedTarget { address, name }| {
            let network_address = network_address(&address).into();
            Target { address, name, network_address, state: Arc::default() }
        };
        let list = planned.into_iter().map(target).map(Arc::new).collect();
        Self { list, turn: AtomicUsize::new(0) }
    }

    /// Takes over what is known of the targets that were there before. `checked` says whether anybody looks after those
    /// that were found ill: else they are well until a dial fails.
    pub(crate) fn inherit(&mut self, before: &Self, checked: bool) {
        for target in &mut self.list {
            let known = before.list.iter().find(|known| known.address == target.address);
            if let Some(known) = known {
                let (address, name) = (target.address.clone(), target.name.clone());
                let network_address = Arc::clone(&target.network_address);
                *target =
                    Arc::new(Target { address, name, network_address, state: Arc::clone(&known.state) });
            }
            if !checked {
                target.state.health.forget_checks();
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.list.iter()
    }

    /// Whether there is a choice.
    pub(crate) fn are_several(&self) -> bool {
        self.list.len() > 1
    }

    /// Tries, in `limit` for all of them together, first the healthy ones and of these the least busy. The others come
    /// after them, and never not at all: what is known of a target is older than the dial that finds out, and to
    /// refuse without one would make an outage of a check that is wrong.
    pub(crate) fn search<E>(&self, clock: &Clock, limit: Duration) -> Search<E> {
        let now = clock.monotonic();
        Search { clock: clock.clone(), order: self.order(now).into_iter(), until: now + limit, last: None }
    }

    fn order(&self, now: Duration) -> Vec<Arc<Target>> {
        let mut order = self.list.clone();
        if let count @ 2.. = order.len() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % count;
            order.rotate_left(turn);
            // Stable: equals stay in the order of the turn. The numbers may change meanwhile, and are read once.
            order.sort_by_cached_key(|target| (!target.is_healthy(now), target.open()));
        }
        order
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, target) in self.list.iter().enumerate() {
            let comma = if count == 0 { "" } else { ", " };
            write!(f, "{comma}{}", target.address)?;
        }
        Ok(())
    }
}

impl Target {
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn server_name(&self) -> Option<&ServerName<'static>> {
        self.name.as_ref()
    }

    /// As log lines name it.
    pub(crate) fn network_address(&self) -> &str {
        &self.network_address
    }

    pub(crate) fn health(&self) -> &Health {
        &self.state.health
    }

    pub(crate) fn is_healthy(&self, now: Duration) -> bool {
        self.state.health.is_good(now)
    }

    /// Connections that are open, or being dialled.
    pub(crate) fn open(&self) -> usize {
        self.state.open.load(Ordering::Relaxed)
    }

    pub(crate) fn dials(&self) -> u64 {
        self.state.dials.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.state.failures.load(Ordering::Relaxed)
    }
}

fn network_address(address: &Address) -> String {
    match address {
        Address::Tcp { .. } => format!("tcp:{address}"),
        Address::Unix(_) | Address::Passed(_) => address.to_string(),
    }
}

impl<E> Search<E> {
    /// The next target, and how long it may take: its share of what is left, so that one that is silent leaves time for
    /// those after it.
    pub(crate) fn next(&mut self) -> Option<(Lease, Duration)> {
        let left = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        let target = self.order.next()?;
        let share = self.until.saturating_sub(self.clock.monotonic()) / left;
        target.state.dials.fetch_add(1, Ordering::Relaxed);
        Some((Lease::new(target), share))
    }

    /// What the dial of a target has brought. A failure keeps it from being the first choice for a while; the pause
    /// grows with each failure in a row.
    pub(crate) fn note<T>(&mut self, lease: &Lease, dialled: Result<T, E>) -> Option<T> {
        let state = &lease.0.state;
        match dialled {
            Ok(stream) => {
                state.health.dialled();
                Some(stream)
            }
            Err(error) => {
                state.failures.fetch_add(1, Ordering::Relaxed);
                state.health.failed(self.clock.monotonic());
                self.last = Some(error);
                None
            }
        }
    }

    /// Whether another target comes after this one.
    pub(crate) fn has_more(&self) -> bool {
        self.order.len() > 0
    }

    /// Why the last target was not reached.
    pub(crate) fn failure(self) -> Option<E> {
        self.last
    }
}

impl Lease {
    fn new(target: Arc<Target>) -> Self {
        target.state.open.fetch_add(1, Ordering::Relaxed);
        Self(target)
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.state.open.fetch_sub(1, Ordering::Relaxed);
    }
}

//! Which server is tried next: the one that served last, then the others, those that failed of late at the end.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finial_daemon::{Backoff, Clock};

use crate::config::ServerAddress;

/// How long a server that failed stands behind the others, at first and at most.
const REST: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));
/// A connection that the server ends sooner has served nobody: it refuses this agent, or nothing is behind it.
const SHORTEST_TERM: Duration = Duration::from_secs(10);

/// What is known of the servers. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    known: Arc<Mutex<Known>>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Known {
    listed: Vec<ServerAddress>,
    serving: Option<ServerAddress>,
    failed: HashMap<ServerAddress, Failed>,
}

#[derive(Debug)]
struct Failed {
    until: Duration,
    backoff: Backoff,
}

/// One connection's time with a server.
pub(super) struct Term {
    roster: Roster,
    server: ServerAddress,
    begun: Duration,
    has_ended: bool,
}

impl Roster {
    pub(super) fn new(clock: &Clock) -> Self {
        Self { known: Arc::default(), clock: clock.clone() }
    }

    /// The servers in the order in which to try them, from the order of preference. Each is tried once: when all of
    /// them failed of late, that is for their clients to wait out.
    pub(super) fn order(&self, mut servers: Vec<ServerAddress>) -> Vec<ServerAddress> {
        let now = self.clock.monotonic();
        let mut known = self.known();
        known.failed.retain(|server, _| servers.contains(server));
        known.listed.clone_from(&servers);
        let rest = |server: &ServerAddress| {
            known
                .failed
                .get(server)
                .map(|failed| failed.until)
                .filter(|until| *until > now)
                .unwrap_or_default()
        };
        // The sort is stable, so that among equals the preference stands.
        servers.sort_by_key(|server| (rest(server), known.serving.as_ref() != Some(server)));
        servers
    }

    /// The servers as they were given last.
    pub(super) fn listed(&self) -> Vec<ServerAddress> {
        self.known().listed.clone()
    }

    /// Notes a connection, and says whether it is one to another server than before.
    pub(super) fn serves(&self, server: &ServerAddress) -> (Term, bool) {
        let mut known = self.known();
        let is_other = known.serving.as_ref().is_some_and(|before| before != server);
        known.serving = Some(server.clone());
        let begun = self.clock.monotonic();
        (Term { roster: self.clone(), server: server.clone(), begun, has_ended: false }, is_other)
    }

    pub(super) fn failed(&self, server: &ServerAddress) {
        let now = self.clock.monotonic();
        let mut known = self.known();
        let fresh = || Failed { until: now, backoff: Backoff::new(REST.0, REST.1) };
        let failed = known.failed.entry(server.clone()).or_insert_with(fresh);
        failed.until = now + failed.backoff.next();
    }

    /// Nothing panics while it is held, and what it holds is true at any time.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Term {
    /// The server, and not this agent, ended the connection.
    pub(super) fn ended_by_server(&mut self) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        if self.roster.clock.monotonic().saturating_sub(self.begun) < SHORTEST_TERM {
            self.roster.failed(&self.server);
        } else {
            self.roster.known().failed.remove(&self.server);
        }
    }
}

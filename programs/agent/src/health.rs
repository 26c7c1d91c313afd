//! What the agent says about itself, in gRPC's health service.
//!
//! | service | serving |
//! |---|---|
//! | `` (the whole agent) | from the first sync until nothing that could be served is valid any more |
//! | `finial.agent.sync` | while the agent hears its server |
//!
//! An outage of the server therefore shows in the second alone: an agent that still serves must not be restarted.

use finial_daemon::Drain;
use finial_daemon::health::{Checks, Condition};
use finial_provide::Cache;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The name under which the whole agent is asked for.
const AGENT: &str = "";
/// The name under which the agent is asked whether it hears its server.
const SYNC: &str = "finial.agent.sync";

/// Not serving, until the first sync: before it nobody gets an identity.
pub(crate) async fn begin(reporter: &HealthReporter) {
    Health::default().tell(reporter).await;
}

/// Follows the cache until the drain.
pub(crate) async fn follow(reporter: HealthReporter, cache: Cache, drain: Drain) {
    let (mut snapshots, mut states) = (cache.subscribe(), cache.state());
    let mut told = Health::default();
    loop {
        snapshots.mark_unchanged();
        states.mark_unchanged();
        let health = Health::of(&cache);
        if health != told {
            health.log(told);
            health.tell(&reporter).await;
            told = health;
        }
        tokio::select! {
            () = drain.requested() => break,
            Ok(()) = snapshots.changed() => {}
            Ok(()) = states.changed() => {}
        }
    }
    Health::default().tell(&reporter).await;
}

/// The same for orchestrators that ask by HTTP. An agent that lives is never told to start afresh: it would lose what it
/// still serves.
pub(crate) fn checks(cache: &Cache) -> Checks {
    let (mut checks, cache) = (Checks::default(), cache.clone());
    checks.add("agent", move || {
        if Health::of(&cache).serves {
            return Condition::well();
        }
        let problem = if cache.snapshot().is_synced() {
            "no identity is valid any more, and the server cannot be reached for new ones"
        } else {
            "the agent has not heard its server yet"
        };
        Condition::unready("make_new_x509_err", problem)
    });
    checks
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Health {
    serves: bool,
    hears_server: bool,
}

impl Health {
    fn of(cache: &Cache) -> Self {
        let snapshot = cache.snapshot();
        let hears_server = snapshot.is_synced() && !cache.state().borrow().is_degraded();
        // Without entries nobody is owed anything, and the agent is well.
        let holds_something = snapshot.entries().is_empty() || snapshot.credential_count() > 0;
        Self { serves: snapshot.is_synced() && (hears_server || holds_something), hears_server }
    }

    async fn tell(self, reporter: &HealthReporter) {
        let status = |is: bool| if is { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status(AGENT, status(self.serves)).await;
        reporter.set_service_status(SYNC, status(self.hears_server)).await;
    }

    /// The outage itself is logged where it is noticed.
    fn log(self, before: Self) {
        match (before.serves, self.serves) {
            (false, true) => tracing::info!("the agent is ready"),
            (true, false) => {
                tracing::error!(
                    "no identity is valid any more, and the server cannot be reached for new ones"
                );
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;

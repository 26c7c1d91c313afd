//! What is counted of what the agent holds and refuses, by SPIRE's names.

use std::time::Duration;

use finial_daemon::metrics::{CallStatus, Calls, Counter, Metrics, Sample};

use super::catalog::EntryCatalog;
use super::rotation::is_same_revision;
use super::workload_api::rates::RatedCall;

/// What a cache, and what serves from it, counts. Clones count together; the default tells nobody.
#[derive(Clone, Debug, Default)]
pub struct CacheMeters {
    added: Counter,
    removed: Counter,
    updated: Counter,
    /// Of the X.509-SVIDs that are asked for at a time, those whose time has come.
    pub(super) expiring: Sample,
    /// Likewise those whose entry has changed.
    pub(super) outdated: Sample,
    pub(super) tainted_x509: Tainted,
    pub(super) tainted_jwt: Tainted,
    /// JWT bundles that workloads were told.
    pub(super) jwt_bundles: Counter,
    /// By call.
    refused: [Counter; RatedCall::ALL.len()],
}

/// SVIDs that an authority signed which is withdrawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Tainted {
    svids: Sample,
    processed: Calls,
}

impl CacheMeters {
    /// Counts among `metrics`.
    pub fn new(metrics: &Metrics) -> Self {
        let refused = RatedCall::ALL.map(|call| {
            let labels = [("method", call.method()), ("key_type", "selectors")];
            let help = "Calls that were refused, since there were too many of their kind.";
            metrics.counter_with("workload_api.rate_limit_exceeded", help, &labels)
        });
        Self {
            added: metrics.counter("lru_cache_entry_add", "Entries that the agent was given."),
            removed: metrics.counter("lru_cache_entry_remove", "Entries that the agent lost."),
            updated: metrics.counter("lru_cache_entry_update", "Entries of the agent that changed."),
            expiring: metrics
                .sample("cache_manager.expiring_svids", "X.509-SVIDs asked for since theirs would end."),
            outdated: metrics
                .sample("cache_manager.outdated_svids", "X.509-SVIDs asked for since their entry changed."),
            tainted_x509: Tainted {
                svids: metrics.sample(
                    "cache_manager.tainted_x509_svids.workload",
                    "X.509-SVIDs of a withdrawn authority.",
                ),
                processed: metrics.calls(
                    "cache_manager.workload.process_tainted_x509_svids",
                    "X.509-SVIDs of a withdrawn authority are looked for.",
                ),
            },
            tainted_jwt: Tainted {
                svids: metrics.sample(
                    "cache_manager.tainted_jwt_svids.workload",
                    "JWT-SVIDs of a withdrawn authority.",
                ),
                processed: metrics.calls(
                    "cache_manager.workload.process_tainted_jwt_svids",
                    "JWT-SVIDs of a withdrawn authority are dropped.",
                ),
            },
            jwt_bundles: metrics
                .counter("workload_api.bundles_update.jwt", "JWT bundles that workloads were told."),
            refused,
        }
    }

    /// The agent holds other entries than before.
    pub(super) fn note_entries(&self, before: &EntryCatalog, now: &EntryCatalog) {
        let (mut added, mut updated) = (0, 0);
        for entry in now.iter() {
            match before.entry(&entry.id) {
                None => added += 1,
                Some(known) if !is_same_revision(known, entry) => updated += 1,
                Some(_) => {}
            }
        }
        self.added.add_many(added);
        self.updated.add_many(updated);
        self.removed.add_many((before.len() as u64 + added).saturating_sub(now.len() as u64));
    }

    /// A call was one too many.
    pub(super) fn note_refusal(&self, call: RatedCall) {
        self.refused[call as usize].add();
    }
}

impl Tainted {
    /// So many were found.
    pub(super) fn note(&self, svids: usize, took: Duration) {
        self.svids.note(svids as f64);
        self.processed.note(CallStatus::OK, took);
    }
}

#[cfg(test)]
mod tests;

//! Which entries describe a process, which do not and why, and the sentence that sums it up.

use std::cmp::Reverse;
use std::sync::Arc;

use finial_identity::{Entry, SelectorSet, SpiffeId};
use finial_wire::{ExplainedMatch, ExplainedMiss, ExplainedProcess, ExplainedSvid};

use crate::agent::outlook::Outlook;
use crate::agent::snapshot::AgentSnapshot;

/// How many entries that do not match are told: what fits on a screen beside the rest.
const MOST_MISSES: usize = 8;

/// What is known when an explanation is written.
pub(super) struct Report<'a> {
    pub(super) snapshot: &'a AgentSnapshot,
    /// What the attestors found.
    pub(super) found: &'a SelectorSet,
    /// The entries that the process is served for, or why it could not be attested.
    pub(super) served: &'a Result<Vec<Arc<Entry>>, String>,
    /// The outlook of each of those entries.
    pub(super) outlooks: Vec<Outlook>,
}

impl Report<'_> {
    /// The entries all of whose selectors were found.
    pub(super) fn matches(&self) -> Vec<ExplainedMatch> {
        let entries = self.snapshot.entries().iter().filter(|entry| entry.selectors.is_subset_of(self.found));
        let explain = |entry: &Arc<Entry>| ExplainedMatch {
            entry: entry.id.clone(),
            spiffe_id: entry.spiffe_id.clone(),
            hint: entry.hint.clone(),
            served: self.svid(entry),
        };
        entries.map(explain).collect()
    }

    /// The entries that lack least, and of those the ones that share most.
    pub(super) fn misses(&self) -> Vec<ExplainedMiss> {
        let mut missed: Vec<(&Arc<Entry>, SelectorSet)> = self.missed().collect();
        missed.sort_by_key(|(entry, lacking)| {
            (lacking.len(), Reverse(entry.selectors.len() - lacking.len()), entry.id.clone())
        });
        missed.truncate(MOST_MISSES);
        let explain = |(entry, lacking): (&Arc<Entry>, SelectorSet)| ExplainedMiss {
            entry: entry.id.clone(),
            spiffe_id: entry.spiffe_id.clone(),
            lacking,
        };
        missed.into_iter().map(explain).collect()
    }

    /// How many entries do not match beside those told.
    pub(super) fn further_misses(&self) -> usize {
        self.missed().count().saturating_sub(MOST_MISSES)
    }

    /// What the process is served, or the reason why it is served nothing.
    pub(super) fn summary(&self, process: &ExplainedProcess, agent: &SpiffeId) -> String {
        let pid = process.pid;
        if !self.snapshot.is_synced() {
            return format!(
                "process {pid} is served nothing: the agent has not heard its server since it started"
            );
        }
        if let Err(error) = self.served {
            return format!("process {pid} is served nothing: {error}");
        }
        let matches = self.matches();
        let served: Vec<_> = matches.iter().filter(|entry| entry.served.is_ok()).collect();
        match (served.as_slice(), matches.first().map(|entry| (&entry.entry, &entry.served))) {
            ([only], _) => format!("process {pid} is served {}", only.spiffe_id),
            ([first, more @ ..], _) => {
                format!("process {pid} is served {} and {} more", first.spiffe_id, more.len())
            }
            ([], Some((entry, Err(obstacle)))) => {
                format!("process {pid} is served nothing: entry {entry} matches, but {obstacle}")
            }
            ([], _) => format!("process {pid} is served nothing: {}", self.why_none_matches(agent)),
        }
    }

    fn why_none_matches(&self, agent: &SpiffeId) -> String {
        match self.misses().first() {
            Some(nearest) => format!(
                "no entry matches; the nearest, {}, asks for {}",
                nearest.entry,
                nearest.lacking.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
            ),
            None => format!("there is no entry for this agent; create one with -parentID {agent}"),
        }
    }

    fn missed(&self) -> impl Iterator<Item = (&Arc<Entry>, SelectorSet)> {
        self.snapshot.entries().iter().filter_map(|entry| {
            let lacking = entry.selectors.iter().filter(|selector| !self.found.contains(selector));
            let lacking: SelectorSet = lacking.cloned().collect();
            (!lacking.is_empty()).then_some((entry, lacking))
        })
    }

    /// The X.509-SVID that is served for an entry that matches, or why there is none.
    fn svid(&self, entry: &Entry) -> Result<ExplainedSvid, String> {
        let entries = self.served.as_ref().map_err(Clone::clone)?;
        let Some(place) = entries.iter().position(|served| served.id == entry.id) else {
            return Err(if entry.store_svid {
                "its SVID goes into a store, not to a process".to_owned()
            } else {
                format!("an older entry has the same hint `{}`, and only one may", entry.hint)
            });
        };
        let outlook = self.outlooks.get(place).cloned().unwrap_or_default();
        match (self.snapshot.credential(&entry.id), outlook) {
            (Some(held), Outlook { renews_at, .. }) => {
                Ok(ExplainedSvid { expires_at: held.svid().not_after(), renews_at })
            }
            (None, Outlook { refusal: Some(refusal), .. }) => {
                Err(format!("the server gave no X.509-SVID for it: {refusal}"))
            }
            (None, Outlook { has_place: false, .. }) => {
                Err("its X.509-SVID is issued only when the process asks for it".to_owned())
            }
            (None, _) => Err("its X.509-SVID has not been issued yet".to_owned()),
        }
    }
}

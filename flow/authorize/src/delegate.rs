//! Which processes may ask for identities in the name of others, and for which.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use finial_attest::AttestedProcess;
use finial_identity::{Entry, SelectorSet, SpiffeId};

use crate::{Denial, matching_entries};

/// The SPIFFE IDs whose holders may ask for the identities of other workloads of their node. Nobody by default.
#[derive(Clone, Debug, Default)]
pub struct Delegates(BTreeSet<SpiffeId>);

/// The proof that a process may ask in the name of others. Made by [`Delegates`] alone.
///
/// It is about one answer: it does not outlive what it was decided from.
#[derive(Debug)]
pub struct Delegation {
    delegate: SpiffeId,
}

impl Delegates {
    /// A process is one when one of `entries` that match it has an ID that is configured.
    ///
    /// # Errors
    /// [`Denial::NoIdentity`] when no entry matches it, [`Denial::NotADelegate`] when none of those is a delegate's.
    pub fn authorize(
        &self,
        process: &AttestedProcess,
        entries: impl IntoIterator<Item = Arc<Entry>>,
    ) -> Result<Delegation, Denial> {
        let matching = matching_entries(process, entries);
        let delegate = matching.iter().map(|entry| &entry.spiffe_id).find(|id| self.0.contains(id));
        match delegate {
            Some(delegate) => Ok(Delegation { delegate: delegate.clone() }),
            None if matching.is_empty() => Err(Denial::NoIdentity),
            None => Err(Denial::NotADelegate),
        }
    }
}

impl FromIterator<SpiffeId> for Delegates {
    fn from_iter<I: IntoIterator<Item = SpiffeId>>(ids: I) -> Self {
        Self(ids.into_iter().collect())
    }
}

impl Delegation {
    /// The identity on whose ground the process is a delegate.
    pub fn delegate(&self) -> &SpiffeId {
        &self.delegate
    }

    /// The entries out of `entries` whose selectors the workload all has, by entry id; never those of administrators and
    /// downstream servers, whose power is not for a process of a node.
    pub fn entries(
        &self,
        workload: &SelectorSet,
        entries: impl IntoIterator<Item = Arc<Entry>>,
    ) -> Vec<Arc<Entry>> {
        let is_lent = |entry: &Arc<Entry>| !entry.admin && !entry.downstream && !entry.store_svid;
        let describes =
            |entry: &Arc<Entry>| !entry.selectors.is_empty() && entry.selectors.is_subset_of(workload);
        let mut lent: Vec<_> =
            entries.into_iter().filter(|entry| is_lent(entry) && describes(entry)).collect();
        lent.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        lent
    }
}

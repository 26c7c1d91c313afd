//! Which entries or agents are wanted.

use std::collections::BTreeSet;
use std::time::SystemTime;

use finial_identity::{Entry, Node, SelectorSet, SpiffeId, TrustDomain};

/// How a candidate's set is compared with a given one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMatch {
    /// The sets are equal.
    Exact,
    /// The candidate's lies within the given one.
    Subset,
    /// The candidate's contains all of the given one.
    Superset,
    /// The sets share something.
    Any,
}

impl SetMatch {
    fn holds<'a, T: Ord + 'a>(
        self,
        candidate: impl IntoIterator<Item = &'a T>,
        given: impl IntoIterator<Item = &'a T>,
    ) -> bool {
        let (candidate, given): (BTreeSet<&T>, BTreeSet<&T>) =
            (candidate.into_iter().collect(), given.into_iter().collect());
        match self {
            Self::Exact => candidate == given,
            Self::Subset => candidate.is_subset(&given),
            Self::Superset => candidate.is_superset(&given),
            Self::Any => !candidate.is_disjoint(&given),
        }
    }
}

/// Compares selectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorMatch {
    /// The given set; not empty.
    pub selectors: SelectorSet,
    /// How it is compared.
    pub rule: SetMatch,
}

impl SelectorMatch {
    /// Whether a candidate with these selectors is wanted.
    pub fn matches(&self, candidate: &SelectorSet) -> bool {
        self.rule.holds(candidate.iter(), self.selectors.iter())
    }
}

/// Compares the trust domains federated with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederatesWithMatch {
    /// The given set; not empty.
    pub trust_domains: BTreeSet<TrustDomain>,
    /// How it is compared.
    pub rule: SetMatch,
}

/// Which entries are wanted: those that meet all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// Exactly this identity.
    pub spiffe_id: Option<SpiffeId>,
    /// Exactly this parent.
    pub parent_id: Option<SpiffeId>,
    /// By selectors.
    pub selectors: Option<SelectorMatch>,
    /// By the trust domains federated with.
    pub federates_with: Option<FederatesWithMatch>,
    /// Exactly this hint.
    pub hint: Option<String>,
    /// Servers below, or everything but them.
    pub downstream: Option<bool>,
}

impl EntryFilter {
    /// Whether the entry is wanted.
    pub fn matches(&self, entry: &Entry) -> bool {
        wants(&self.spiffe_id, |id| *id == entry.spiffe_id)
            && wants(&self.parent_id, |id| *id == entry.parent_id)
            && wants(&self.selectors, |given| given.matches(&entry.selectors))
            && wants(&self.federates_with, |given| {
                given.rule.holds(&entry.federates_with, &given.trust_domains)
            })
            && wants(&self.hint, |hint| *hint == entry.hint)
            && wants(&self.downstream, |downstream| *downstream == entry.downstream)
    }
}

/// Which agents are wanted: those that meet all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentFilter {
    /// Exactly this kind of evidence.
    pub attestation_type: Option<String>,
    /// By selectors.
    pub selectors: Option<SelectorMatch>,
    /// Banned ones, or the others.
    pub banned: Option<bool>,
    /// Those that can attest again, or the others.
    pub can_reattest: Option<bool>,
    /// Those whose SVID ends before.
    pub expires_before: Option<SystemTime>,
}

impl AgentFilter {
    /// Whether the agent is wanted.
    pub fn matches(&self, node: &Node) -> bool {
        wants(&self.attestation_type, |kind| *kind == node.attestation_type)
            && wants(&self.selectors, |given| given.matches(&node.selectors))
            && wants(&self.banned, |banned| *banned == node.is_banned())
            && wants(&self.can_reattest, |can_reattest| *can_reattest == node.can_reattest)
            && wants(&self.expires_before, |before| node.expires_at < *before)
    }
}

fn wants<T>(given: &Option<T>, meets: impl FnOnce(&T) -> bool) -> bool {
    given.as_ref().is_none_or(meets)
}

#[cfg(test)]
mod tests;

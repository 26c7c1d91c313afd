//! Who may be at the other end of a connection.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use finial_identity::{SpiffeId, TrustDomain, X509Svid};

use crate::{NameRules, UriPatterns};

/// Decides by the verified ID of a peer. There is no policy that permits everybody by default; one that lists
/// nothing permits nobody. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Permits when any of them does.
    rules: Arc<[Rule]>,
}

#[derive(Clone, Debug)]
enum Rule {
    Ids(BTreeSet<SpiffeId>),
    MembersOf(BTreeSet<TrustDomain>),
    Patterns(UriPatterns),
    Names(Arc<NameRules>),
}

impl Policy {
    /// Permits exactly these IDs.
    pub fn ids(ids: impl IntoIterator<Item = SpiffeId>) -> Self {
        Self::from(Rule::Ids(ids.into_iter().collect()))
    }

    /// Permits every ID of one trust domain.
    pub fn members_of(trust_domain: TrustDomain) -> Self {
        Self::any_in([trust_domain])
    }

    /// Permits every ID of the listed trust domains. Each still needs a bundle in the source.
    pub fn any_in(trust_domains: impl IntoIterator<Item = TrustDomain>) -> Self {
        Self::from(Rule::MembersOf(trust_domains.into_iter().collect()))
    }

    /// Permits the IDs that one of the patterns matches.
    pub fn uri_patterns(patterns: UriPatterns) -> Self {
        Self::from(Rule::Patterns(patterns))
    }

    /// Permits the SVIDs whose leaf has one of the names. The chain leads to the bundle of its own trust domain before
    /// anybody looks at them.
    pub fn names(rules: NameRules) -> Self {
        Self::from(Rule::Names(Arc::new(rules)))
    }

    /// Permits what either of the two permits.
    #[must_use]
    pub fn or(&self, other: &Policy) -> Self {
        Self { rules: self.rules.iter().chain(other.rules.iter()).cloned().collect() }
    }

    /// Whether a peer that was verified as `id` may be at the other end, whatever other names its SVID has.
    pub fn permits(&self, id: &SpiffeId) -> bool {
        self.rules.iter().any(|rule| match rule {
            Rule::Ids(ids) => ids.contains(id),
            Rule::MembersOf(trust_domains) => trust_domains.contains(&id.trust_domain()),
            Rule::Patterns(patterns) => patterns.matches(id.as_str()),
            Rule::Names(rules) => rules.permit_uri(id.as_str()),
        })
    }

    /// Whether the holder of an SVID that was verified may be at the other end.
    pub(crate) fn permits_svid(&self, svid: &X509Svid) -> bool {
        self.permits(svid.id())
            || self.rules.iter().any(|rule| matches!(rule, Rule::Names(rules) if rules.permit_svid(svid)))
    }
}

impl From<Rule> for Policy {
    fn from(rule: Rule) -> Self {
        Self { rules: Arc::new([rule]) }
    }
}

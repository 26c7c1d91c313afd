//! Who may be at the other end by the names in a certificate, as ghostunnel's `--allow-…` and `--verify-…` flags say.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;

use finial_identity::{ForeignChain, X509Svid};

use crate::UriPatterns;

/// Rules over the names of a leaf; one that matches permits. Without any, nobody is permitted.
///
/// Names are compared as they are: case counts, and a wildcard in a certificate is a name like any other.
#[derive(Clone, Debug, Default)]
pub struct NameRules {
    /// Whoever has a certificate that verifies.
    pub anyone: bool,
    /// The last common name of the subject.
    pub common_names: BTreeSet<String>,
    /// Any of the organizational units of the subject.
    pub organizational_units: BTreeSet<String>,
    /// Any of the DNS names.
    pub dns_names: BTreeSet<String>,
    /// Any of the IP addresses.
    pub ip_names: BTreeSet<IpAddr>,
    /// Any of the URIs, which are SPIFFE IDs only in an SVID.
    pub uris: Option<UriPatterns>,
}

impl NameRules {
    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        let Self { anyone, common_names, organizational_units, dns_names, ip_names, uris } = self;
        let lists = [common_names, organizational_units, dns_names];
        !anyone && lists.iter().all(|list| list.is_empty()) && ip_names.is_empty() && uris.is_none()
    }

    /// Whether these names are permitted. Says nothing of who vouches for them: it explains a decision, and makes none.
    pub fn is_permitting(&self, names: &ForeignChain) -> bool {
        self.permit(names)
    }

    /// Whether a peer whose certificate was verified, and has these names, may be at the other end.
    pub(crate) fn permit(&self, names: &ForeignChain) -> bool {
        self.anyone
            || names.common_name().is_some_and(|name| self.common_names.contains(name))
            || names.organizational_units().iter().any(|unit| self.organizational_units.contains(unit))
            || names.dns_names().iter().any(|name| self.dns_names.contains(name))
            || names.ip_names().iter().any(|name| self.ip_names.contains(name))
            || names.uri_names().iter().any(|uri| self.permit_uri(uri))
    }

    /// Whether the holder of an SVID that was verified may be at the other end, by its ID or another name of its leaf.
    pub(crate) fn permit_svid(&self, svid: &X509Svid) -> bool {
        self.permit_uri(svid.id().as_str())
            || ForeignChain::from_chain(svid.chain().to_vec()).is_ok_and(|names| self.permit(&names))
    }

    /// Whether this URI alone permits.
    pub(crate) fn permit_uri(&self, uri: &str) -> bool {
        self.anyone || self.uris.as_ref().is_some_and(|uris| uris.matches(uri))
    }
}

//! Who may be at the other end: the flags `--allow-…` of a server and `--verify-…` of a client.

use std::net::IpAddr;

use finial_tls::{NameRules, UriPatterns};

use crate::ProxyError;

/// Rules over the names in a certificate; any of them permits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessFlags {
    /// `--allow-all`: whoever has a certificate that verifies. Of a server only, and alone.
    pub all: bool,
    /// `--allow-cn`, `--verify-cn`: the last common name of the subject.
    pub common_names: Vec<String>,
    /// `--allow-ou`, `--verify-ou`: any organizational unit of the subject.
    pub organizational_units: Vec<String>,
    /// `--allow-dns`, `--verify-dns`: any DNS name, as it is written in the certificate.
    pub dns_names: Vec<String>,
    /// `--allow-ip`, `--verify-ip`: any IP address.
    pub ip_names: Vec<IpAddr>,
    /// `--allow-uri`, `--verify-uri`: patterns over any URI, such as a SPIFFE ID.
    pub uris: Vec<String>,
}

impl AccessFlags {
    /// Permits the SPIFFE IDs, or other URIs, that this pattern matches.
    pub fn uri(pattern: impl Into<String>) -> Self {
        Self { uris: vec![pattern.into()], ..Self::default() }
    }

    /// Whether nobody is permitted.
    pub fn is_empty(&self) -> bool {
        !self.all && !self.name_somebody()
    }

    /// Whether there is a rule beside `--allow-all`.
    pub(super) fn name_somebody(&self) -> bool {
        let Self { all: _, common_names, organizational_units, dns_names, ip_names, uris } = self;
        let lists = [common_names, organizational_units, dns_names, uris];
        lists.iter().any(|list| !list.is_empty()) || !ip_names.is_empty()
    }

    /// The rules; `flag` is the one that holds URIs, for the error.
    pub(super) fn rules(self, flag: &'static str) -> Result<NameRules, ProxyError> {
        for pattern in &self.uris {
            let fail = |cause| ProxyError::UriPattern { flag, pattern: pattern.clone(), cause };
            UriPatterns::parse([pattern]).map_err(fail)?;
        }
        let uris = match self.uris.as_slice() {
            [] => None,
            uris => UriPatterns::parse(uris).ok(),
        };
        Ok(NameRules {
            anyone: self.all,
            common_names: self.common_names.into_iter().collect(),
            organizational_units: self.organizational_units.into_iter().collect(),
            dns_names: self.dns_names.into_iter().collect(),
            ip_names: self.ip_names.into_iter().collect(),
            uris,
        })
    }
}

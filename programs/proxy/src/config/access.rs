//! Who may be at the other end: the flags `--allow-…` of a server and `--verify-…` of a client.

use std::net::IpAddr;
use std::sync::Arc;

use finial_identity::SpkiPin;
use finial_tls::{NameRules, UriPatterns};

use super::Own;
use crate::ProxyError;

/// Rules over the names in a certificate, or over its key; any of them permits.
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
    /// `--allow-spki-pin`, `--verify-spki-pin`: keys by their hash, as `sha256:BASE64`. Alone: a pin takes the place of
    /// chain, validity and names.
    pub pins: Vec<String>,
}

impl AccessFlags {
    /// Permits the SPIFFE IDs, or other URIs, that this pattern matches.
    pub fn uri(pattern: impl Into<String>) -> Self {
        Self { uris: vec![pattern.into()], ..Self::default() }
    }

    /// Whether nobody is permitted.
    pub fn is_empty(&self) -> bool {
        !self.all && !self.name_somebody() && self.pins.is_empty()
    }

    /// Whether there is a rule over names.
    pub(super) fn name_somebody(&self) -> bool {
        let Self { all: _, common_names, organizational_units, dns_names, ip_names, uris, pins: _ } = self;
        let lists = [common_names, organizational_units, dns_names, uris];
        lists.iter().any(|list| !list.is_empty()) || !ip_names.is_empty()
    }

    /// The pins, if there are any, which go with nothing else; `flag` is the one that holds them and `others` what the
    /// other ones are for, for the error.
    pub(super) fn pins(
        &self,
        own: &Own,
        (flag, others): (&'static str, &'static str),
    ) -> Result<Option<Arc<[SpkiPin]>>, ProxyError> {
        if self.pins.is_empty() {
            return Ok(None);
        }
        if self.name_somebody() {
            return Err(ProxyError::PinsAndOthers { flag, others });
        }
        if matches!(own, Own::WorkloadApi(_)) {
            return Err(ProxyError::PinsAndAgent { flag });
        }
        let pins: Result<Vec<_>, _> = self.pins.iter().map(|pin| pin.parse()).collect();
        Ok(Some(pins?.into()))
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

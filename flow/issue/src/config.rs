//! What the operator decides about SVIDs and the keys that sign them.

#[cfg(test)]
mod tests;

use std::time::Duration;

use finial_daemon::go::format_duration;
use finial_identity::{KeyKind, TrustDomain};

use crate::{AuthorityKind, IssueError};

/// The shortest life of an authority: below it, rotation could not keep up.
const MIN_CA_TTL: Duration = Duration::from_secs(10);

/// The longest life of an SVID that no authority ever cuts short, however long it lives itself.
const MAX_SVID_TTL: Duration = Duration::from_hours(7 * 24);

/// How SVIDs and authorities are made. The names are SPIRE's.
#[derive(Clone, Debug)]
pub struct IssueConfig {
    /// The trust domain of every SVID issued here.
    pub trust_domain: TrustDomain,
    /// Life of an X.509 or JWT authority; 24 h. At least 10 s.
    pub ca_ttl: Duration,
    /// Kind of the X.509 authorities' keys: EC P-256 (default), EC P-384, RSA of 2048 or 4096 bits. A change takes effect
    /// when the next authority is prepared.
    pub ca_key_type: KeyKind,
    /// Kind of the JWT authorities' keys; as `ca_key_type` when none.
    pub jwt_key_type: Option<KeyKind>,
    /// Subject of the X.509 authorities; `C=US, O=SPIFFE`. The serial number of the certificate is always added.
    pub ca_subject: CaSubject,
    /// Life of an X.509-SVID whose entry names none; 1 h.
    pub default_x509_svid_ttl: Duration,
    /// Life of a JWT-SVID whose entry names none; 5 min.
    pub default_jwt_svid_ttl: Duration,
    /// Life of an agent's SVID; as `default_x509_svid_ttl` when none.
    pub agent_ttl: Option<Duration>,
    /// The `iss` claim of JWT-SVIDs; none by default.
    pub jwt_issuer: Option<String>,
}

/// The subject of X.509 authorities (SPIRE: `ca_subject`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaSubject {
    /// Countries (C), two letters each.
    pub country: Vec<String>,
    /// Organizations (O).
    pub organization: Vec<String>,
    /// The common name (CN); left out when empty.
    pub common_name: String,
}

impl Default for CaSubject {
    fn default() -> Self {
        Self { country: vec!["US".into()], organization: vec!["SPIFFE".into()], common_name: String::new() }
    }
}

impl IssueConfig {
    /// The defaults of SPIRE for one trust domain.
    pub fn new(trust_domain: TrustDomain) -> Self {
        Self {
            trust_domain,
            ca_ttl: Duration::from_hours(24),
            ca_key_type: KeyKind::EcP256,
            jwt_key_type: None,
            ca_subject: CaSubject::default(),
            default_x509_svid_ttl: Duration::from_hours(1),
            default_jwt_svid_ttl: Duration::from_mins(5),
            agent_ttl: None,
            jwt_issuer: None,
        }
    }

    /// Checks what the types cannot, and warns of SVIDs that an authority near its end would have to cut short.
    pub(crate) fn check(&self) -> Result<(), IssueError> {
        if self.ca_ttl < MIN_CA_TTL {
            return Err(IssueError::CaTtl { ttl: self.ca_ttl, min: MIN_CA_TTL });
        }
        for (key, kind) in
            [("ca_key_type", self.ca_key_type), ("jwt_key_type", self.key_kind(AuthorityKind::Jwt))]
        {
            if !matches!(kind, KeyKind::EcP256 | KeyKind::EcP384 | KeyKind::Rsa { bits: 2048 | 4096 }) {
                return Err(IssueError::AuthorityKey { key, kind });
            }
        }
        let ttls = [
            ("default_x509_svid_ttl", self.default_x509_svid_ttl),
            ("default_jwt_svid_ttl", self.default_jwt_svid_ttl),
            ("agent_ttl", self.agent_ttl()),
        ];
        for (key, ttl) in ttls {
            if ttl.is_zero() {
                return Err(IssueError::ZeroTtl { key });
            }
        }
        self.ttl_warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        Ok(())
    }

    /// What is said of each life of SVIDs that an authority near its end would have to cut short; in SPIRE's words, which
    /// operators search their logs for.
    fn ttl_warnings(&self) -> Vec<String> {
        let mut ttls = vec![
            ("default_x509_svid_ttl", self.default_x509_svid_ttl),
            ("default_jwt_svid_ttl", self.default_jwt_svid_ttl),
        ];
        ttls.extend(self.agent_ttl.map(|ttl| ("agent_ttl", ttl)));
        let longest = (self.ca_ttl / 6).min(MAX_SVID_TTL);
        let warning = |(key, ttl): (&str, Duration)| {
            let instead = if ttl > MAX_SVID_TTL {
                String::new()
            } else {
                format!(", or the ca_ttl to {} or more", briefly(ttl * 6))
            };
            format!(
                "{key} is too high for the configured ca_ttl value. SVIDs with shorter lifetimes may be issued. Please set \
                 {key} to {} or less{instead}, to guarantee the full {key} lifetime when CA rotations are scheduled.",
                briefly(longest)
            )
        };
        ttls.into_iter().filter(|(_, ttl)| *ttl > longest).map(warning).collect()
    }

    pub(crate) fn key_kind(&self, kind: AuthorityKind) -> KeyKind {
        match kind {
            AuthorityKind::X509 => self.ca_key_type,
            AuthorityKind::Jwt => self.jwt_key_type.unwrap_or(self.ca_key_type),
        }
    }

    pub(crate) fn agent_ttl(&self) -> Duration {
        self.agent_ttl.unwrap_or(self.default_x509_svid_ttl)
    }
}

/// As Go writes it, without the zeros at the end: `12m`.
fn briefly(span: Duration) -> String {
    let mut text = format_duration(span);
    for (zero, unit) in [("m0s", "m"), ("h0m", "h")] {
        if let Some(rest) = text.strip_suffix(zero) {
            text = format!("{rest}{unit}");
        }
    }
    text
}

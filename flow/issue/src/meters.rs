//! What is counted of authorities and of what they sign, by SPIRE's names.

use finial_daemon::metrics::{Calls, Counter, Metrics};

use crate::AuthorityKind;

/// What authorities count. Clones count together; the default tells nobody.
#[derive(Clone, Debug, Default)]
pub struct IssueMeters {
    x509_prepared: Calls,
    jwt_prepared: Calls,
    x509_activated: Counter,
    jwt_activated: Counter,
    /// Expired authorities are taken out of the bundle.
    pub(crate) prune: Calls,
    /// Bundles from which something that had expired was taken.
    pub(crate) pruned: Counter,
    pub(crate) x509_svids: Counter,
    pub(crate) jwt_svids: Counter,
}

impl IssueMeters {
    /// Counts among `metrics`.
    pub fn new(metrics: &Metrics) -> Self {
        let counter = |key, help| metrics.counter(key, help);
        Self {
            x509_prepared: metrics.calls("ca.manager.x509_ca.prepare", "An X.509 authority is prepared."),
            jwt_prepared: metrics.calls("ca.manager.jwt_key.prepare", "A JWT authority is prepared."),
            x509_activated: counter("ca.manager.x509_ca.activate", "X.509 authorities that were activated."),
            jwt_activated: counter("manager.jwt_key.activate", "JWT authorities that were activated."),
            prune: metrics
                .calls("ca.manager.bundle.prune", "Expired authorities are taken out of the bundle."),
            pruned: counter(
                "ca.manager.bundle.pruned",
                "Times that expired authorities were taken out of the bundle.",
            ),
            x509_svids: counter("server_ca.sign.x509_svid", "X.509-SVIDs that were signed."),
            jwt_svids: counter("server_ca.sign.jwt_svid", "JWT-SVIDs that were signed."),
        }
    }

    pub(crate) fn prepared(&self, kind: AuthorityKind) -> &Calls {
        match kind {
            AuthorityKind::X509 => &self.x509_prepared,
            AuthorityKind::Jwt => &self.jwt_prepared,
        }
    }

    pub(crate) fn activated(&self, kind: AuthorityKind) -> &Counter {
        match kind {
            AuthorityKind::X509 => &self.x509_activated,
            AuthorityKind::Jwt => &self.jwt_activated,
        }
    }
}

//! Changes to the bundles of other trust domains.

use std::time::Duration;

use finial_identity::{Bundle, JwtAuthority, TrustDomain, X509Authority};

/// What to change in a federated bundle: what is `None` stays as it is. The sequence number is the server's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleUpdate {
    /// Whose bundle it is.
    pub trust_domain: TrustDomain,
    /// The certificates, all of them.
    pub x509_authorities: Option<Vec<X509Authority>>,
    /// The keys, all of them.
    pub jwt_authorities: Option<Vec<JwtAuthority>>,
    /// The refresh hint; the inner none: no hint.
    pub refresh_hint: Option<Option<Duration>>,
}

impl BundleUpdate {
    /// Replaces every field by the bundle's.
    pub fn replacing(bundle: Bundle) -> Self {
        Self {
            trust_domain: bundle.trust_domain,
            x509_authorities: Some(bundle.x509_authorities),
            jwt_authorities: Some(bundle.jwt_authorities),
            refresh_hint: Some(bundle.refresh_hint),
        }
    }

    /// Makes the change.
    pub fn apply(self, bundle: &mut Bundle) {
        if let Some(x509_authorities) = self.x509_authorities {
            bundle.x509_authorities = x509_authorities;
        }
        if let Some(jwt_authorities) = self.jwt_authorities {
            bundle.jwt_authorities = jwt_authorities;
        }
        if let Some(refresh_hint) = self.refresh_hint {
            bundle.refresh_hint = refresh_hint;
        }
    }
}

/// What becomes of the entries that federate with a trust domain whose bundle is to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BundleDeletion {
    /// While there are any, the bundle is not deleted.
    #[default]
    Restrict,
    /// They are deleted too.
    Delete,
    /// They federate with it no longer.
    Dissociate,
}

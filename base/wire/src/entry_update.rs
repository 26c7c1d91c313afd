//! A change to an entry.

use std::time::{Duration, SystemTime};

use finial_identity::{EntryDraft, SelectorSet, SpiffeId, TrustDomain};

/// What to change in an entry: what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryUpdate {
    /// The identity given.
    pub spiffe_id: Option<SpiffeId>,
    /// The parent.
    pub parent_id: Option<SpiffeId>,
    /// The selectors, all of them.
    pub selectors: Option<SelectorSet>,
    /// The life of X.509-SVIDs; the inner none: the server's default.
    pub x509_svid_ttl: Option<Option<Duration>>,
    /// The life of JWT-SVIDs; the inner none: the server's default.
    pub jwt_svid_ttl: Option<Option<Duration>>,
    /// The trust domains to federate with, all of them.
    pub federates_with: Option<Vec<TrustDomain>>,
    /// Whether the identity may administer the server.
    pub admin: Option<bool>,
    /// Whether the identity is a server below.
    pub downstream: Option<bool>,
    /// Whether the SVID goes to a store.
    pub store_svid: Option<bool>,
    /// When the entry ends; the inner none: never.
    pub expires_at: Option<Option<SystemTime>>,
    /// The DNS names, all of them.
    pub dns_names: Option<Vec<String>>,
    /// The hint.
    pub hint: Option<String>,
    /// The switches that travel together.
    pub additional_attributes: Option<AdditionalAttributes>,
}

/// Switches of an entry that are one field of a mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdditionalAttributes {
    /// Whether agents leave the X.509-SVID until someone asks for it.
    pub x509_svid_prefetch_disabled: bool,
    /// Whether JWT-SVIDs carry a `jti` claim.
    pub jwt_svid_includes_jti: bool,
}

impl EntryUpdate {
    /// Replaces every field by the draft's.
    pub fn replacing(draft: EntryDraft) -> Self {
        Self {
            spiffe_id: Some(draft.spiffe_id),
            parent_id: Some(draft.parent_id),
            selectors: Some(draft.selectors),
            x509_svid_ttl: Some(draft.x509_svid_ttl),
            jwt_svid_ttl: Some(draft.jwt_svid_ttl),
            federates_with: Some(draft.federates_with),
            admin: Some(draft.admin),
            downstream: Some(draft.downstream),
            store_svid: Some(draft.store_svid),
            expires_at: Some(draft.expires_at),
            dns_names: Some(draft.dns_names),
            hint: Some(draft.hint),
            additional_attributes: Some(AdditionalAttributes {
                x509_svid_prefetch_disabled: draft.x509_svid_prefetch_disabled,
                jwt_svid_includes_jti: draft.jwt_svid_includes_jti,
            }),
        }
    }

    /// Makes the change. The outcome is to be checked like any draft.
    pub fn apply(self, draft: &mut EntryDraft) {
        replace(&mut draft.spiffe_id, self.spiffe_id);
        replace(&mut draft.parent_id, self.parent_id);
        replace(&mut draft.selectors, self.selectors);
        replace(&mut draft.x509_svid_ttl, self.x509_svid_ttl);
        replace(&mut draft.jwt_svid_ttl, self.jwt_svid_ttl);
        replace(&mut draft.federates_with, self.federates_with);
        replace(&mut draft.admin, self.admin);
        replace(&mut draft.downstream, self.downstream);
        replace(&mut draft.store_svid, self.store_svid);
        replace(&mut draft.expires_at, self.expires_at);
        replace(&mut draft.dns_names, self.dns_names);
        replace(&mut draft.hint, self.hint);
        if let Some(attributes) = self.additional_attributes {
            draft.x509_svid_prefetch_disabled = attributes.x509_svid_prefetch_disabled;
            draft.jwt_svid_includes_jti = attributes.jwt_svid_includes_jti;
        }
    }
}

fn replace<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

//! What a caller may have at one moment, and what of it a name means.

use std::sync::Arc;

use finial_identity::{Bundle, Entry, EntryId, SpiffeId, X509Credential};
use finial_wire::SecretContent;
use tonic::Status;

use super::settings::Settings;
use crate::agent::snapshot::AgentSnapshot;
use crate::agent::workload_api::entitlement::Entitlement;

/// The identities and bundles of one caller.
#[derive(Debug)]
pub(super) struct Offer {
    /// In the order of the Workload API: the first is the default one.
    identities: Vec<(Arc<Entry>, Option<Arc<X509Credential>>)>,
    own: Arc<Bundle>,
    /// Of the trust domains federated with, by name.
    federated: Vec<Arc<Bundle>>,
}

/// What a name means.
#[derive(Debug)]
pub(super) enum Found {
    Bundles(SecretContent),
    /// The X.509-SVID of this entry; none while it is still to be issued.
    Svid(EntryId, Option<Arc<X509Credential>>),
    /// Nothing that this caller may have.
    Nothing,
}

impl Offer {
    pub(super) fn of(entitlement: &Entitlement, snapshot: &AgentSnapshot) -> Self {
        let identity = |entry: &Arc<Entry>| (Arc::clone(entry), snapshot.credential(&entry.id).cloned());
        // A bundle without X.509 authorities is one that Envoy refuses.
        let federated = entitlement.bundles(snapshot).into_iter().skip(1);
        let mut federated: Vec<_> = federated.filter(|bundle| !bundle.x509_authorities.is_empty()).collect();
        federated.sort_by(|one, other| one.trust_domain.cmp(&other.trust_domain));
        Self {
            identities: entitlement.entries().iter().map(identity).collect(),
            own: Arc::clone(snapshot.bundle()),
            federated,
        }
    }

    /// What is meant by a name: an alias, a trust domain's ID, or a SPIFFE ID.
    ///
    /// # Errors
    /// InvalidArgument when all bundles in one are asked for by an Envoy that cannot have them.
    pub(super) fn find(&self, name: &str, settings: &Settings) -> Result<Found, Status> {
        if name == settings.bundle_name || name == self.own.trust_domain.id().as_str() {
            return Ok(Found::Bundles(bundle_content(&self.own, settings)));
        }
        if name == settings.all_bundles_name {
            return self.all_bundles(settings);
        }
        if name == settings.svid_name {
            return Ok(self.identity(|_| true));
        }
        let Ok(id) = SpiffeId::parse(name) else { return Ok(Found::Nothing) };
        let federated = self.federated.iter().find(|bundle| bundle.trust_domain.id() == id);
        match federated {
            Some(bundle) => Ok(Found::Bundles(bundle_content(bundle, settings))),
            None => Ok(self.identity(|entry| entry.spiffe_id == id)),
        }
    }

    /// The name of everything there is, for an Envoy that asks for all.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let identities = self.identities.iter().map(|(entry, _)| entry.spiffe_id.to_string());
        let bundles = std::iter::once(&self.own).chain(&self.federated);
        identities.chain(bundles.map(|bundle| bundle.trust_domain.id().to_string()))
    }

    /// What an Envoy needs that held the bundle of a trust domain which is federated with no longer: it keeps the last one
    /// until it gets another. `None` when the name is no trust domain's ID.
    pub(super) fn instead_of(&self, name: &str) -> Option<SecretContent> {
        let id = SpiffeId::parse(name).ok()?;
        id.path().is_empty().then(|| SecretContent::Nobody(Arc::clone(&self.own)))
    }

    fn identity(&self, is_meant: impl Fn(&Entry) -> bool) -> Found {
        match self.identities.iter().find(|(entry, _)| is_meant(entry)) {
            Some((entry, credential)) => Found::Svid(entry.id.clone(), credential.clone()),
            None => Found::Nothing,
        }
    }

    fn all_bundles(&self, settings: &Settings) -> Result<Found, Status> {
        if !settings.has_spiffe_validator {
            let name = &settings.all_bundles_name;
            return Err(Status::invalid_argument(format!(
                "`{name}` needs the SPIFFE validator, which Envoy has since 1.18 and disable_spiffe_cert_validation \
                 switches off: ask for each trust domain by its ID"
            )));
        }
        let mut bundles: Vec<_> = std::iter::once(&self.own).chain(&self.federated).cloned().collect();
        bundles.sort_by(|one, other| one.trust_domain.cmp(&other.trust_domain));
        Ok(Found::Bundles(SecretContent::Spiffe(bundles)))
    }
}

fn bundle_content(bundle: &Arc<Bundle>, settings: &Settings) -> SecretContent {
    if settings.has_spiffe_validator {
        SecretContent::Spiffe(vec![Arc::clone(bundle)])
    } else {
        SecretContent::Authorities(Arc::clone(bundle))
    }
}

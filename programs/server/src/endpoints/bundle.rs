//! Bundles: the server's own for everybody, and those of the trust domains it federates with.

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Bundle, JwtAuthority, TrustDomain, X509Authority};
use finial_store::{Federating, Revision, StoreError};
use finial_wire::server::BundleApi;
use finial_wire::{BundleDeletion, BundleUpdate, Page, Paged};
use tonic::{Extensions, Status};

use crate::audit::{self, Facts};
use crate::core::{ATTEMPTS, Core};
use crate::status;

pub(super) struct BundleEndpoint {
    core: Arc<Core>,
}

impl BundleEndpoint {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    fn find(&self, trust_domain: &TrustDomain) -> Result<Arc<Bundle>, Status> {
        let snapshot = self.core.index.snapshot();
        snapshot.bundle(trust_domain).cloned().ok_or_else(|| status::no_bundle(trust_domain))
    }

    /// Refuses the server's own trust domain: its bundle follows the authorities, and nobody else.
    fn foreign(&self, trust_domain: &TrustDomain, what: &str) -> Result<(), Status> {
        if *trust_domain == self.core.trust_domain { Err(status::own_trust_domain(what)) } else { Ok(()) }
    }

    /// The bundle as the index shows it after a write.
    async fn stored(&self, revision: Revision, trust_domain: &TrustDomain) -> Result<Arc<Bundle>, Status> {
        let snapshot = self.core.visible(revision).await?;
        let bundle = snapshot.bundle(trust_domain).cloned().ok_or_else(|| status::no_bundle(trust_domain))?;
        tracing::info!(%trust_domain, sequence_number = bundle.sequence_number, "a federated bundle was stored");
        Ok(bundle)
    }

    async fn create(&self, bundle: Bundle) -> Result<Arc<Bundle>, Status> {
        let trust_domain = bundle.trust_domain.clone();
        self.foreign(&trust_domain, "creating a federated bundle for")?;
        let bundle = Bundle { sequence_number: 0, ..bundle };
        match self.core.store.replace_bundle(bundle).await {
            Ok(stored) => self.stored(stored.revision, &trust_domain).await,
            Err(StoreError::Conflict { .. }) => Err(status::bundle_exists(&trust_domain)),
            Err(error) => Err(status::store(error)),
        }
    }

    async fn update(&self, update: BundleUpdate) -> Result<Arc<Bundle>, Status> {
        let trust_domain = update.trust_domain.clone();
        self.foreign(&trust_domain, "updating a federated bundle for")?;
        for _ in 0..ATTEMPTS {
            let seen = self.core.store.bundle(&trust_domain).await.map_err(status::store)?;
            let mut bundle = seen.ok_or_else(|| status::no_bundle(&trust_domain))?;
            update.clone().apply(&mut bundle);
            match self.core.store.replace_bundle(bundle).await {
                Ok(stored) => return self.stored(stored.revision, &trust_domain).await,
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(status::store(error)),
            }
        }
        Err(status::contended())
    }

    async fn set(&self, bundle: Bundle) -> Result<Arc<Bundle>, Status> {
        let trust_domain = bundle.trust_domain.clone();
        self.foreign(&trust_domain, "setting a federated bundle for")?;
        let stored = self.core.store.put_bundle(bundle).await.map_err(status::store)?;
        self.stored(stored.revision, &trust_domain).await
    }

    async fn delete(&self, trust_domain: TrustDomain, deletion: BundleDeletion) -> Result<(), Status> {
        if trust_domain == self.core.trust_domain {
            return Err(status::own_bundle());
        }
        let federating = match deletion {
            BundleDeletion::Restrict => Federating::Keep,
            BundleDeletion::Delete => Federating::Delete,
            BundleDeletion::Dissociate => Federating::Dissociate,
        };
        match self.core.store.delete_bundle(&trust_domain, federating).await {
            Ok(revision) => self.core.visible(revision).await?,
            Err(StoreError::NotFound { .. }) => return Err(status::no_bundle(&trust_domain)),
            Err(error) => return Err(status::store(error)),
        };
        tracing::info!(%trust_domain, ?deletion, "a federated bundle was deleted");
        Ok(())
    }
}

#[async_trait]
impl BundleApi for BundleEndpoint {
    async fn bundle(&self, _: &Extensions) -> Result<Arc<Bundle>, Status> {
        self.find(&self.core.trust_domain)
    }

    async fn append_bundle(
        &self,
        _: &Extensions,
        x509: Vec<X509Authority>,
        jwt: Vec<JwtAuthority>,
    ) -> Result<Arc<Bundle>, Status> {
        let added = x509.len() + jwt.len();
        let bundle = self.core.authorities.append(x509, jwt).await.map_err(status::issue)?;
        let revision = self.core.store.revision().await.map_err(status::store)?;
        self.core.visible(revision).await?;
        tracing::warn!(added, "authorities were added to the server's bundle by hand");
        Ok(Arc::new(bundle))
    }

    async fn count_bundles(&self, _: &Extensions) -> Result<u64, Status> {
        Ok(self.core.index.snapshot().bundles().len() as u64)
    }

    async fn federated_bundles(
        &self,
        _: &Extensions,
        page: Page<TrustDomain>,
    ) -> Result<Paged<Arc<Bundle>>, Status> {
        let snapshot = self.core.index.snapshot();
        let foreign =
            snapshot.bundles().iter().filter(|bundle| bundle.trust_domain != self.core.trust_domain);
        Ok(page.cut(foreign.cloned(), |bundle| bundle.trust_domain.clone()))
    }

    async fn federated_bundle(
        &self,
        ctx: &Extensions,
        trust_domain: TrustDomain,
    ) -> Result<Arc<Bundle>, Status> {
        audit::about(ctx, || Facts::of_trust_domain(&trust_domain));
        self.foreign(&trust_domain, "getting a federated bundle for")?;
        self.find(&trust_domain)
    }

    async fn create_federated_bundle(&self, ctx: &Extensions, bundle: Bundle) -> Result<Arc<Bundle>, Status> {
        let facts = audit::facts(ctx, || Facts::of_trust_domain(&bundle.trust_domain));
        audit::part(ctx, facts.as_ref(), self.create(bundle).await)
    }

    async fn update_federated_bundle(
        &self,
        ctx: &Extensions,
        update: BundleUpdate,
    ) -> Result<Arc<Bundle>, Status> {
        let facts = audit::facts(ctx, || Facts::of_trust_domain(&update.trust_domain));
        audit::part(ctx, facts.as_ref(), self.update(update).await)
    }

    async fn set_federated_bundle(&self, ctx: &Extensions, bundle: Bundle) -> Result<Arc<Bundle>, Status> {
        let facts = audit::facts(ctx, || Facts::of_trust_domain(&bundle.trust_domain));
        audit::part(ctx, facts.as_ref(), self.set(bundle).await)
    }

    async fn delete_federated_bundle(
        &self,
        ctx: &Extensions,
        trust_domain: TrustDomain,
        deletion: BundleDeletion,
    ) -> Result<(), Status> {
        let facts = audit::facts(ctx, || Facts::of_trust_domain(&trust_domain));
        audit::part(ctx, facts.as_ref(), self.delete(trust_domain, deletion).await)
    }
}

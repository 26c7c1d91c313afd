//! Bundles: the server's own for everybody, others for those who federate.

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Bundle, TrustDomain};
use finial_wire::server::BundleApi;
use tonic::{Extensions, Status};

use crate::core::Core;
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
}

#[async_trait]
impl BundleApi for BundleEndpoint {
    async fn bundle(&self, _: &Extensions) -> Result<Arc<Bundle>, Status> {
        self.find(&self.core.trust_domain)
    }

    async fn federated_bundle(
        &self,
        _: &Extensions,
        trust_domain: TrustDomain,
    ) -> Result<Arc<Bundle>, Status> {
        if trust_domain == self.core.trust_domain {
            return Err(status::own_bundle());
        }
        self.find(&trust_domain)
    }
}

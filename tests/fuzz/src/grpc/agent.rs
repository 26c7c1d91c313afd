//! The agent's APIs, with nobody behind them but what a request needs to be answered in full.

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Audience, BundleSet, JwtSvid, SpiffeId};
use finial_wire::server::{
    DelegatedIdentityApi, ExplainApi, Messages, SecretApi, WorkloadApi, delegated_identity_service,
    explain_service, secret_service, workload_service,
};
use finial_wire::{
    DelegatedIdentities, DelegatedWorkload, Explanation, Secret, SecretContent, SecretDelta,
    SecretDeltaRequest, SecretRequest, SecretUpdate, X509Context,
};
use futures_util::stream::{self, BoxStream, StreamExt};
use tonic::service::Routes;
use tonic::{Extensions, Status};

use super::nothing;
use crate::authority::{BUNDLES, now, trust_domain};

/// The methods that a request has something to say in. New ones go last: the corpus knows them by position.
pub(super) const METHODS: &[&str] = &[
    "SpiffeWorkloadAPI/FetchX509SVID",
    "SpiffeWorkloadAPI/FetchX509Bundles",
    "SpiffeWorkloadAPI/FetchJWTSVID",
    "SpiffeWorkloadAPI/FetchJWTBundles",
    "SpiffeWorkloadAPI/ValidateJWTSVID",
    "envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets",
    "envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets",
    "envoy.service.secret.v3.SecretDiscoveryService/FetchSecrets",
    "spire.api.agent.delegatedidentity.v1.DelegatedIdentity/SubscribeToX509SVIDs",
    "spire.api.agent.delegatedidentity.v1.DelegatedIdentity/SubscribeToX509Bundles",
    "spire.api.agent.delegatedidentity.v1.DelegatedIdentity/FetchJWTSVIDs",
    "spire.api.agent.delegatedidentity.v1.DelegatedIdentity/SubscribeToJWTBundles",
    "finial.agent.v1.Explain/Explain",
];

pub(super) fn routes() -> Routes {
    Routes::new(workload_service(Arc::new(Agent)))
        .add_service(secret_service(Arc::new(Agent)))
        .add_service(delegated_identity_service(Arc::new(Agent)))
        .add_service(explain_service(Arc::new(Agent)))
}

struct Agent;

type Updates<T> = BoxStream<'static, Result<T, Status>>;

fn once<T: Send + 'static>(item: T) -> Result<Updates<T>, Status> {
    Ok(stream::iter([Ok(item)]).boxed())
}

fn secrets(names: Vec<String>) -> Vec<Secret> {
    let bundle = BUNDLES.bundle(&trust_domain()).unwrap();
    let secret = |name| Secret {
        name,
        version: "1".to_owned(),
        content: SecretContent::Authorities(Arc::clone(bundle)),
    };
    names.into_iter().map(secret).collect()
}

#[async_trait]
impl WorkloadApi for Agent {
    async fn x509_svids(&self, _: &Extensions) -> Result<Updates<X509Context>, Status> {
        nothing()
    }

    async fn x509_bundles(&self, _: &Extensions) -> Result<Updates<BundleSet>, Status> {
        once(BUNDLES.clone())
    }

    async fn jwt_bundles(&self, _: &Extensions) -> Result<Updates<BundleSet>, Status> {
        once(BUNDLES.clone())
    }

    async fn jwt_svids(
        &self,
        _: &Extensions,
        _: Audience,
        _: Option<SpiffeId>,
    ) -> Result<Vec<JwtSvid>, Status> {
        nothing()
    }

    async fn validate_jwt_svid(
        &self,
        _: &Extensions,
        audience: String,
        token: String,
    ) -> Result<JwtSvid, Status> {
        let verified = JwtSvid::verify(&token, &audience, &BUNDLES, now());
        verified.map(|svid| svid.into_inner()).map_err(|error| Status::invalid_argument(error.to_string()))
    }
}

#[async_trait]
impl SecretApi for Agent {
    async fn stream(
        &self,
        _: &Extensions,
        requests: Messages<SecretRequest>,
    ) -> Result<Messages<SecretUpdate>, Status> {
        let answer = |request: SecretRequest| SecretUpdate {
            version: request.version,
            secrets: secrets(request.names),
        };
        Ok(requests.map(move |request| request.map(answer)).boxed())
    }

    async fn delta(
        &self,
        _: &Extensions,
        requests: Messages<SecretDeltaRequest>,
    ) -> Result<Messages<SecretDelta>, Status> {
        let answer = |request: SecretDeltaRequest| SecretDelta {
            version: request.nonce,
            secrets: secrets(request.subscribe),
            removed: request.unsubscribe,
        };
        Ok(requests.map(move |request| request.map(answer)).boxed())
    }

    async fn fetch(&self, _: &Extensions, request: SecretRequest) -> Result<SecretUpdate, Status> {
        Ok(SecretUpdate { version: request.version, secrets: secrets(request.names) })
    }
}

#[async_trait]
impl DelegatedIdentityApi for Agent {
    async fn x509_svids(
        &self,
        _: &Extensions,
        _: DelegatedWorkload,
    ) -> Result<Updates<DelegatedIdentities>, Status> {
        once(DelegatedIdentities { credentials: Vec::new(), federates_with: vec![trust_domain()] })
    }

    async fn x509_bundles(&self, _: &Extensions) -> Result<Updates<BundleSet>, Status> {
        once(BUNDLES.clone())
    }

    async fn jwt_svids(
        &self,
        _: &Extensions,
        _: DelegatedWorkload,
        _: Audience,
    ) -> Result<Vec<JwtSvid>, Status> {
        nothing()
    }

    async fn jwt_bundles(&self, _: &Extensions) -> Result<Updates<BundleSet>, Status> {
        once(BUNDLES.clone())
    }
}

#[async_trait]
impl ExplainApi for Agent {
    async fn explain(&self, _: &Extensions, pid: i32) -> Result<Explanation, Status> {
        assert!(pid > 0, "no process has ID {pid}");
        nothing()
    }
}

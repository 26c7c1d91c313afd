//! spire.api.server.bundle.v1.Bundle: whom to trust.

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Bundle, JwtAuthority, TrustDomain, X509Authority};
use futures_util::future::join_all;
use tonic::{Extensions, Request, Response, Status};

use super::{GrpcService, not_served, split};
use crate::convert::{batch, bundle as convert, count, page, status};
use crate::proto::bundle::bundle_server;
use crate::proto::bundle::*;
use crate::proto::types;
use crate::{BundleDeletion, BundleUpdate, MAX_REQUEST_BYTES, Page, Paged};

/// What a server does with bundles: its own, and those of the trust domains it federates with.
///
/// A federated bundle never stands for the server's own trust domain: each method that names one refuses that.
#[async_trait]
pub trait BundleApi: Send + Sync + 'static {
    /// The server's own bundle.
    async fn bundle(&self, ctx: &Extensions) -> Result<Arc<Bundle>, Status>;

    /// Adds authorities to the server's own bundle; those that are there already stay as they are.
    async fn append_bundle(
        &self,
        ctx: &Extensions,
        x509: Vec<X509Authority>,
        jwt: Vec<JwtAuthority>,
    ) -> Result<Arc<Bundle>, Status>;

    /// How many bundles there are, the server's own among them.
    async fn count_bundles(&self, ctx: &Extensions) -> Result<u64, Status>;

    /// The bundles of other trust domains, sorted by name.
    async fn federated_bundles(
        &self,
        ctx: &Extensions,
        page: Page<TrustDomain>,
    ) -> Result<Paged<Arc<Bundle>>, Status>;

    /// The bundle of a trust domain federated with; NotFound when there is none.
    async fn federated_bundle(
        &self,
        ctx: &Extensions,
        trust_domain: TrustDomain,
    ) -> Result<Arc<Bundle>, Status>;

    /// Stores the bundle of a trust domain that has none; AlreadyExists when it has one.
    async fn create_federated_bundle(&self, ctx: &Extensions, bundle: Bundle) -> Result<Arc<Bundle>, Status>;

    /// Changes a bundle; NotFound when there is none.
    async fn update_federated_bundle(
        &self,
        ctx: &Extensions,
        update: BundleUpdate,
    ) -> Result<Arc<Bundle>, Status>;

    /// Stores a bundle, whatever was there before.
    async fn set_federated_bundle(&self, ctx: &Extensions, bundle: Bundle) -> Result<Arc<Bundle>, Status>;

    /// Deletes a bundle; NotFound when there is none, FailedPrecondition while entries that are to stay as they are
    /// federate with it.
    async fn delete_federated_bundle(
        &self,
        ctx: &Extensions,
        trust_domain: TrustDomain,
        deletion: BundleDeletion,
    ) -> Result<(), Status>;
}

/// Puts a [`BundleApi`] on the wire.
pub fn bundle_service(api: Arc<dyn BundleApi>) -> impl GrpcService {
    bundle_server::BundleServer::new(Adapter(api)).max_decoding_message_size(MAX_REQUEST_BYTES)
}

struct Adapter(Arc<dyn BundleApi>);

#[async_trait]
impl bundle_server::Bundle for Adapter {
    async fn get_bundle(
        &self,
        request: Request<GetBundleRequest>,
    ) -> Result<Response<types::Bundle>, Status> {
        let (ctx, request) = split(request);
        let bundle = self.0.bundle(&ctx).await?;
        Ok(Response::new(convert::to_bundle(&bundle, request.output_mask)))
    }

    async fn get_federated_bundle(
        &self,
        request: Request<GetFederatedBundleRequest>,
    ) -> Result<Response<types::Bundle>, Status> {
        let (ctx, request) = split(request);
        let trust_domain = convert::trust_domain(&request.trust_domain)?;
        let bundle = self.0.federated_bundle(&ctx, trust_domain).await?;
        Ok(Response::new(convert::to_bundle(&bundle, request.output_mask)))
    }

    async fn count_bundles(
        &self,
        request: Request<CountBundlesRequest>,
    ) -> Result<Response<CountBundlesResponse>, Status> {
        let (ctx, _) = split(request);
        let bundles = self.0.count_bundles(&ctx).await?;
        Ok(Response::new(CountBundlesResponse { count: count(bundles) }))
    }

    async fn append_bundle(
        &self,
        request: Request<AppendBundleRequest>,
    ) -> Result<Response<types::Bundle>, Status> {
        let (ctx, request) = split(request);
        let mask = request.output_mask;
        let (x509, jwt) = convert::appended(request)?;
        let bundle = self.0.append_bundle(&ctx, x509, jwt).await?;
        Ok(Response::new(convert::to_bundle(&bundle, mask)))
    }

    async fn publish_jwt_authority(
        &self,
        _: Request<PublishJwtAuthorityRequest>,
    ) -> Result<Response<PublishJwtAuthorityResponse>, Status> {
        not_served("PublishJWTAuthority")
    }

    async fn publish_wit_authority(
        &self,
        _: Request<PublishWitAuthorityRequest>,
    ) -> Result<Response<PublishWitAuthorityResponse>, Status> {
        not_served("PublishWITAuthority")
    }

    async fn list_federated_bundles(
        &self,
        request: Request<ListFederatedBundlesRequest>,
    ) -> Result<Response<ListFederatedBundlesResponse>, Status> {
        let (ctx, request) = split(request);
        let page = page::bundles(request.page_size, &request.page_token)?;
        let bundles = self.0.federated_bundles(&ctx, page).await?;
        let next_page_token = page::next_token(&bundles, |bundle| bundle.trust_domain.name());
        let bundles = bundles.items.iter().map(|bundle| convert::to_bundle(bundle, request.output_mask));
        let bundles = bundles.collect();
        Ok(Response::new(ListFederatedBundlesResponse { bundles, next_page_token }))
    }

    async fn batch_create_federated_bundle(
        &self,
        request: Request<BatchCreateFederatedBundleRequest>,
    ) -> Result<Response<BatchCreateFederatedBundleResponse>, Status> {
        let (ctx, request) = split(request);
        batch::check("bundles", request.bundle.len())?;
        let outcomes = request
            .bundle
            .into_iter()
            .map(async |bundle| self.0.create_federated_bundle(&ctx, convert::given(bundle)?).await);
        let results = join_all(outcomes).await.into_iter().map(|outcome| {
            let (status, bundle) = item(outcome, request.output_mask);
            batch_create_federated_bundle_response::Result { status: Some(status), bundle }
        });
        Ok(Response::new(BatchCreateFederatedBundleResponse { results: results.collect() }))
    }

    async fn batch_update_federated_bundle(
        &self,
        request: Request<BatchUpdateFederatedBundleRequest>,
    ) -> Result<Response<BatchUpdateFederatedBundleResponse>, Status> {
        let (ctx, request) = split(request);
        batch::check("bundles", request.bundle.len())?;
        let outcomes = request.bundle.into_iter().map(async |bundle| {
            self.0.update_federated_bundle(&ctx, convert::update(bundle, request.input_mask)?).await
        });
        let results = join_all(outcomes).await.into_iter().map(|outcome| {
            let (status, bundle) = item(outcome, request.output_mask);
            batch_update_federated_bundle_response::Result { status: Some(status), bundle }
        });
        Ok(Response::new(BatchUpdateFederatedBundleResponse { results: results.collect() }))
    }

    async fn batch_set_federated_bundle(
        &self,
        request: Request<BatchSetFederatedBundleRequest>,
    ) -> Result<Response<BatchSetFederatedBundleResponse>, Status> {
        let (ctx, request) = split(request);
        batch::check("bundles", request.bundle.len())?;
        let outcomes = request
            .bundle
            .into_iter()
            .map(async |bundle| self.0.set_federated_bundle(&ctx, convert::given(bundle)?).await);
        let results = join_all(outcomes).await.into_iter().map(|outcome| {
            let (status, bundle) = item(outcome, request.output_mask);
            batch_set_federated_bundle_response::Result { status: Some(status), bundle }
        });
        Ok(Response::new(BatchSetFederatedBundleResponse { results: results.collect() }))
    }

    async fn batch_delete_federated_bundle(
        &self,
        request: Request<BatchDeleteFederatedBundleRequest>,
    ) -> Result<Response<BatchDeleteFederatedBundleResponse>, Status> {
        let (ctx, request) = split(request);
        batch::check("trust domains", request.trust_domains.len())?;
        let deletion = convert::deletion(request.mode)?;
        let outcomes = request.trust_domains.iter().map(async |name| {
            self.0.delete_federated_bundle(&ctx, convert::trust_domain(name)?, deletion).await
        });
        let outcomes = join_all(outcomes).await;
        let results = outcomes.into_iter().zip(request.trust_domains).map(|(outcome, trust_domain)| {
            let (status, _) = status::outcome(outcome);
            batch_delete_federated_bundle_response::Result { status: Some(status), trust_domain }
        });
        Ok(Response::new(BatchDeleteFederatedBundleResponse { results: results.collect() }))
    }
}

/// The outcome of one item of a batch.
fn item(
    outcome: Result<Arc<Bundle>, Status>,
    mask: Option<types::BundleMask>,
) -> (types::Status, Option<types::Bundle>) {
    let (status, bundle) = status::outcome(outcome);
    (status, bundle.map(|bundle| convert::to_bundle(&bundle, mask)))
}

#[cfg(test)]
mod tests;

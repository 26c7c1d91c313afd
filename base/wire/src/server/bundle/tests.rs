//! The Bundle service from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Bundle, TrustDomain};
use tonic::{Code, Extensions, Status};

use super::{BundleApi, bundle_service};
use crate::client::BundleClient;
use crate::harness::{Ca, served};
use crate::proto::bundle as proto;
use crate::proto::bundle::bundle_client::BundleClient as Stub;
use crate::proto::types;

struct Fake(Arc<Bundle>);

#[async_trait]
impl BundleApi for Fake {
    async fn bundle(&self, _: &Extensions) -> Result<Arc<Bundle>, Status> {
        Ok(Arc::clone(&self.0))
    }

    async fn federated_bundle(
        &self,
        _: &Extensions,
        trust_domain: TrustDomain,
    ) -> Result<Arc<Bundle>, Status> {
        match trust_domain.name() {
            "other.test" => Ok(Arc::new(Bundle::empty(trust_domain))),
            // A server that is confused.
            "third.test" => Ok(Arc::clone(&self.0)),
            _ => Err(Status::not_found("bundle not found")),
        }
    }
}

#[tokio::test]
async fn bundles_arrive_whole_or_masked() {
    let bundle = Arc::new(Ca::new("example.org").bundle());
    served(bundle_service(Arc::new(Fake(Arc::clone(&bundle)))), async |channel| {
        assert_eq!(BundleClient::new(channel.clone()).bundle().await.unwrap(), *bundle);
        let request = proto::GetBundleRequest { output_mask: Some(types::BundleMask::default()) };
        let masked = Stub::new(channel).get_bundle(request).await.unwrap().into_inner();
        assert!(masked.x509_authorities.is_empty());
    })
    .await;
}

#[tokio::test]
async fn federated_bundle_is_that_of_the_domain_asked_for() {
    let fake = Fake(Arc::new(Ca::new("example.org").bundle()));
    served(bundle_service(Arc::new(fake)), async |channel| {
        let client = BundleClient::new(channel.clone());
        let ask = async |name: &str| client.federated_bundle(&TrustDomain::parse(name).unwrap()).await;
        assert_eq!(ask("other.test").await.unwrap().trust_domain.name(), "other.test");
        assert_eq!(ask("nowhere.test").await.unwrap_err().code(), Code::NotFound);
        assert!(ask("third.test").await.unwrap_err().message().contains("as stated"));
        let nameless = proto::GetFederatedBundleRequest::default();
        let error = Stub::new(channel).get_federated_bundle(nameless).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    })
    .await;
}

#[tokio::test]
async fn rpc_not_served_is_named() {
    let fake = Fake(Arc::new(Ca::new("example.org").bundle()));
    served(bundle_service(Arc::new(fake)), async |channel| {
        let mut stub = Stub::new(channel);
        let error = stub.append_bundle(proto::AppendBundleRequest::default()).await.unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented);
        assert_eq!(error.message(), "AppendBundle is not served by this version");
        let error =
            stub.publish_wit_authority(proto::PublishWitAuthorityRequest::default()).await.unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented);
        assert_eq!(error.message(), "PublishWITAuthority is not served by this version");
    })
    .await;
}

//! The DelegatedIdentity service from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Audience, BundleSet, JwtSvid, TrustDomain};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::{Code, Extensions, Status};

use super::{DelegatedIdentityApi, delegated_identity_service};
use crate::client::DelegatedIdentityClient;
use crate::harness::{Ca, jwt_svid, selector, served};
use crate::proto::delegated::delegated_identity_client::DelegatedIdentityClient as Stub;
use crate::proto::delegated::{FetchJwtsviDsRequest, SubscribeToX509sviDsRequest};
use crate::proto::types;
use crate::{DelegatedIdentities, DelegatedWorkload};

/// Has one identity for a process, and none for selectors.
struct Fake(Ca);

#[async_trait]
impl DelegatedIdentityApi for Fake {
    async fn x509_svids(
        &self,
        _: &Extensions,
        workload: DelegatedWorkload,
    ) -> Result<BoxStream<'static, Result<DelegatedIdentities, Status>>, Status> {
        let credentials = match workload {
            DelegatedWorkload::Process(_) => vec![self.0.credential("/web", "internal")],
            DelegatedWorkload::Selectors(_) => vec![],
        };
        let federates_with = vec![TrustDomain::parse("other.test").unwrap()];
        let end = Status::permission_denied("caller not configured as an authorized delegate");
        Ok(stream::iter([Ok(DelegatedIdentities { credentials, federates_with }), Err(end)]).boxed())
    }

    async fn x509_bundles(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        Ok(stream::iter([Ok([Arc::new(self.0.bundle())].into_iter().collect())]).boxed())
    }

    async fn jwt_svids(
        &self,
        _: &Extensions,
        _: DelegatedWorkload,
        audience: Audience,
    ) -> Result<Vec<JwtSvid>, Status> {
        let audience: Vec<&str> = audience.iter().collect();
        Ok(vec![jwt_svid("/web", &audience).with_hint("internal")])
    }

    async fn jwt_bundles(
        &self,
        ctx: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        self.x509_bundles(ctx).await
    }
}

fn fake() -> Arc<Fake> {
    Arc::new(Fake(Ca::new("example.org")))
}

#[tokio::test]
async fn identities_arrive_with_key_hint_and_federation_until_the_end_is_told() {
    let fake = fake();
    served(delegated_identity_service(fake), async |channel| {
        let client = DelegatedIdentityClient::new(channel);
        let mut updates = client.x509_svids(&DelegatedWorkload::Process(7)).await.unwrap();
        let first = updates.next().await.unwrap().unwrap();
        let credential = &first.credentials[0];
        assert_eq!(credential.svid().id().as_str(), "spiffe://example.org/web");
        assert_eq!(credential.hint(), "internal");
        assert_eq!(first.federates_with[0].name(), "other.test");
        assert_eq!(updates.next().await.unwrap().unwrap_err().code(), Code::PermissionDenied);
    })
    .await;
}

#[tokio::test]
async fn workload_without_identity_is_told_as_an_empty_list() {
    served(delegated_identity_service(fake()), async |channel| {
        let selectors = [selector("unix:uid:1000")].into_iter().collect();
        let client = DelegatedIdentityClient::new(channel);
        let mut updates = client.x509_svids(&DelegatedWorkload::Selectors(selectors)).await.unwrap();
        assert!(updates.next().await.unwrap().unwrap().credentials.is_empty());
    })
    .await;
}

#[tokio::test]
async fn tokens_and_bundles_arrive() {
    let fake = fake();
    let bundle = fake.0.bundle();
    served(delegated_identity_service(fake), async |channel| {
        let client = DelegatedIdentityClient::new(channel);
        let audience = Audience::new(["db", "web"]).unwrap();
        let svids = client.jwt_svids(&DelegatedWorkload::Process(7), &audience).await.unwrap();
        assert_eq!(svids[0].audience(), ["db", "web"]);
        assert_eq!(svids[0].hint(), "internal");
        let x509 = client.x509_bundles().await.unwrap().next().await.unwrap().unwrap();
        assert_eq!(x509.bundle(&bundle.trust_domain).unwrap().x509_authorities, bundle.x509_authorities);
        let jwt = client.jwt_bundles().await.unwrap().next().await.unwrap().unwrap();
        assert_eq!(jwt.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn workload_is_named_in_exactly_one_way() {
    served(delegated_identity_service(fake()), async |channel| {
        let uid = types::Selector { r#type: "unix".to_owned(), value: "uid:0".to_owned() };
        for (selectors, pid) in [(vec![], 0), (vec![uid.clone()], 7), (vec![], -7), (vec![uid.clone()], -7)] {
            let request = SubscribeToX509sviDsRequest { selectors: selectors.clone(), pid };
            let x509 = Stub::new(channel.clone()).subscribe_to_x509svi_ds(request).await.unwrap_err();
            let request = FetchJwtsviDsRequest { audience: vec!["db".to_owned()], selectors, pid };
            let jwt = Stub::new(channel.clone()).fetch_jwtsvi_ds(request).await.unwrap_err();
            for error in [x509, jwt] {
                assert_eq!(error.code(), Code::InvalidArgument);
                assert_eq!(error.message(), "must provide either selectors or non-zero PID, but not both");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn selector_is_refused_without_its_value_being_told() {
    served(delegated_identity_service(fake()), async |channel| {
        let selectors = vec![types::Selector { r#type: String::new(), value: "secret".to_owned() }];
        let request = SubscribeToX509sviDsRequest { selectors, pid: 0 };
        let error = Stub::new(channel).subscribe_to_x509svi_ds(request).await.unwrap_err();
        assert_eq!(error.message(), "could not parse provided selectors: missing selector type");
    })
    .await;
}

#[tokio::test]
async fn token_needs_an_audience() {
    served(delegated_identity_service(fake()), async |channel| {
        let request = FetchJwtsviDsRequest { pid: 7, ..FetchJwtsviDsRequest::default() };
        let error = Stub::new(channel).fetch_jwtsvi_ds(request).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "audience must be specified"));
    })
    .await;
}

#[test]
fn rule_10_debug_text_hides_selectors() {
    let selectors = [selector("unix:uid:1000")].into_iter().collect();
    assert_eq!(format!("{:?}", DelegatedWorkload::Selectors(selectors)), "Selectors(1 …)");
}

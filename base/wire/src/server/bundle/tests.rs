//! The Bundle service from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use finial_identity::{Bundle, JwtAuthority, TrustDomain, X509Authority};
use tonic::{Code, Extensions, Status};

use super::{BundleApi, bundle_service};
use crate::client::BundleClient;
use crate::harness::{Ca, served};
use crate::proto::bundle as proto;
use crate::proto::bundle::bundle_client::BundleClient as Stub;
use crate::proto::types;
use crate::{BundleDeletion, BundleUpdate, Page, Paged};

/// The server's own bundle, and those of others in memory.
struct Fake(Arc<Bundle>, Mutex<BTreeMap<TrustDomain, Arc<Bundle>>>);

impl Fake {
    fn new() -> Self {
        Self::with([])
    }

    fn with(bundles: impl IntoIterator<Item = Bundle>) -> Self {
        let bundles = bundles.into_iter().map(|bundle| (bundle.trust_domain.clone(), Arc::new(bundle)));
        Self(Arc::new(Ca::new("example.org").bundle()), Mutex::new(bundles.collect()))
    }

    fn store(&self, bundle: Bundle) -> Arc<Bundle> {
        let bundle = Arc::new(bundle);
        self.1.lock().unwrap().insert(bundle.trust_domain.clone(), Arc::clone(&bundle));
        bundle
    }

    fn find(&self, trust_domain: &TrustDomain) -> Result<Arc<Bundle>, Status> {
        let found = self.1.lock().unwrap().get(trust_domain).cloned();
        found.ok_or_else(|| Status::not_found("bundle not found"))
    }
}

fn domain(name: &str) -> TrustDomain {
    TrustDomain::parse(name).unwrap()
}

#[async_trait]
impl BundleApi for Fake {
    async fn bundle(&self, _: &Extensions) -> Result<Arc<Bundle>, Status> {
        Ok(Arc::clone(&self.0))
    }

    async fn append_bundle(
        &self,
        _: &Extensions,
        x509: Vec<X509Authority>,
        jwt: Vec<JwtAuthority>,
    ) -> Result<Arc<Bundle>, Status> {
        let mut bundle = Bundle::clone(&self.0);
        bundle.x509_authorities.extend(x509);
        bundle.jwt_authorities.extend(jwt);
        Ok(Arc::new(bundle))
    }

    async fn count_bundles(&self, _: &Extensions) -> Result<u64, Status> {
        Ok(self.1.lock().unwrap().len() as u64 + 1)
    }

    async fn federated_bundles(
        &self,
        _: &Extensions,
        page: Page<TrustDomain>,
    ) -> Result<Paged<Arc<Bundle>>, Status> {
        let bundles = self.1.lock().unwrap();
        Ok(page.cut(bundles.values().cloned(), |bundle| bundle.trust_domain.clone()))
    }

    async fn federated_bundle(
        &self,
        _: &Extensions,
        trust_domain: TrustDomain,
    ) -> Result<Arc<Bundle>, Status> {
        match trust_domain.name() {
            // A server that is confused.
            "third.test" => Ok(Arc::clone(&self.0)),
            _ => self.find(&trust_domain),
        }
    }

    async fn create_federated_bundle(&self, _: &Extensions, bundle: Bundle) -> Result<Arc<Bundle>, Status> {
        match self.find(&bundle.trust_domain) {
            Ok(_) => Err(Status::already_exists("bundle already exists")),
            Err(_) => Ok(self.store(bundle)),
        }
    }

    async fn update_federated_bundle(
        &self,
        _: &Extensions,
        update: BundleUpdate,
    ) -> Result<Arc<Bundle>, Status> {
        let mut bundle = Bundle::clone(&*self.find(&update.trust_domain)?);
        update.apply(&mut bundle);
        Ok(self.store(bundle))
    }

    async fn set_federated_bundle(&self, _: &Extensions, bundle: Bundle) -> Result<Arc<Bundle>, Status> {
        Ok(self.store(bundle))
    }

    async fn delete_federated_bundle(
        &self,
        _: &Extensions,
        trust_domain: TrustDomain,
        deletion: BundleDeletion,
    ) -> Result<(), Status> {
        self.find(&trust_domain)?;
        if deletion == BundleDeletion::Restrict {
            return Err(Status::failed_precondition("federated"));
        }
        self.1.lock().unwrap().remove(&trust_domain);
        Ok(())
    }
}

#[tokio::test]
async fn bundles_arrive_whole_or_masked() {
    let fake = Fake::new();
    let bundle = Arc::clone(&fake.0);
    served(bundle_service(Arc::new(fake)), async |channel| {
        assert_eq!(BundleClient::new(channel.clone()).bundle().await.unwrap(), *bundle);
        let request = proto::GetBundleRequest { output_mask: Some(types::BundleMask::default()) };
        let masked = Stub::new(channel).get_bundle(request).await.unwrap().into_inner();
        assert!(masked.x509_authorities.is_empty());
    })
    .await;
}

#[tokio::test]
async fn federated_bundle_is_that_of_the_domain_asked_for() {
    served(bundle_service(Arc::new(Fake::with([Bundle::empty(domain("other.test"))]))), async |channel| {
        let client = BundleClient::new(channel.clone());
        let ask = async |name: &str| client.federated_bundle(&domain(name)).await;
        assert_eq!(ask("other.test").await.unwrap().trust_domain.name(), "other.test");
        assert_eq!(ask("nowhere.test").await.unwrap_err().code(), Code::NotFound);
        assert!(ask("third.test").await.unwrap_err().message().contains("as stated"));
        let named = |name: &str| proto::GetFederatedBundleRequest {
            trust_domain: name.to_owned(),
            ..proto::GetFederatedBundleRequest::default()
        };
        let mut stub = Stub::new(channel);
        for name in ["", "other.test/path", "Other.test"] {
            let error = stub.get_federated_bundle(named(name)).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{name}");
        }
        stub.get_federated_bundle(named("spiffe://other.test")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn rpc_not_served_is_named() {
    served(bundle_service(Arc::new(Fake::new())), async |channel| {
        let mut stub = Stub::new(channel);
        let error =
            stub.publish_jwt_authority(proto::PublishJwtAuthorityRequest::default()).await.unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented);
        assert_eq!(error.message(), "PublishJWTAuthority is not served by this version");
        let error =
            stub.publish_wit_authority(proto::PublishWitAuthorityRequest::default()).await.unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented);
        assert_eq!(error.message(), "PublishWITAuthority is not served by this version");
    })
    .await;
}

#[tokio::test]
async fn federated_bundle_is_created_set_changed_and_deleted() {
    served(bundle_service(Arc::new(Fake::new())), async |channel| {
        let client = BundleClient::new(channel);
        let mut bundle = Ca::new("other.test").bundle();
        assert_eq!(client.create_federated_bundle(&bundle).await.unwrap(), bundle);
        let error = client.create_federated_bundle(&bundle).await.unwrap_err();
        assert_eq!(error.code(), Code::AlreadyExists);
        assert_eq!(client.count_bundles().await.unwrap(), 2);

        bundle.x509_authorities.extend(Ca::new("other.test").bundle().x509_authorities);
        assert_eq!(client.set_federated_bundle(&bundle).await.unwrap(), bundle);

        let update = BundleUpdate {
            refresh_hint: Some(Some(Duration::from_secs(60))),
            x509_authorities: None,
            jwt_authorities: None,
            trust_domain: bundle.trust_domain.clone(),
        };
        bundle.refresh_hint = Some(Duration::from_secs(60));
        assert_eq!(client.update_federated_bundle(update).await.unwrap(), bundle);
        let nowhere = BundleUpdate::replacing(Bundle::empty(domain("nowhere.test")));
        assert_eq!(client.update_federated_bundle(nowhere).await.unwrap_err().code(), Code::NotFound);

        let delete = async |deletion| client.delete_federated_bundle(&bundle.trust_domain, deletion).await;
        let restricted = delete(BundleDeletion::Restrict).await.unwrap_err();
        assert_eq!(restricted.code(), Code::FailedPrecondition);
        delete(BundleDeletion::Dissociate).await.unwrap();
        assert_eq!(delete(BundleDeletion::Delete).await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn update_without_a_mask_replaces_everything() {
    let fake =
        Fake::with([Bundle { refresh_hint: Some(Duration::from_secs(9)), ..Ca::new("other.test").bundle() }]);
    served(bundle_service(Arc::new(fake)), async |channel| {
        let empty = types::Bundle { trust_domain: "other.test".to_owned(), ..types::Bundle::default() };
        let request =
            proto::BatchUpdateFederatedBundleRequest { bundle: vec![empty.clone()], ..Default::default() };
        let answer = Stub::new(channel).batch_update_federated_bundle(request).await.unwrap().into_inner();
        assert_eq!(answer.results[0].bundle, Some(empty));
    })
    .await;
}

#[tokio::test]
async fn update_reads_no_more_than_its_mask_names() {
    served(bundle_service(Arc::new(Fake::with([Ca::new("other.test").bundle()]))), async |channel| {
        let broken = types::X509Certificate { asn1: b"no".to_vec(), tainted: false };
        let bundle = types::Bundle {
            trust_domain: "other.test".to_owned(),
            x509_authorities: vec![broken],
            refresh_hint: 7,
            ..types::Bundle::default()
        };
        let mask = types::BundleMask { refresh_hint: true, ..types::BundleMask::default() };
        let request = proto::BatchUpdateFederatedBundleRequest {
            bundle: vec![bundle],
            input_mask: Some(mask),
            output_mask: Some(mask),
        };
        let answer = Stub::new(channel).batch_update_federated_bundle(request).await.unwrap().into_inner();
        let bundle = answer.results[0].bundle.clone().unwrap();
        assert_eq!((bundle.refresh_hint, bundle.x509_authorities.len()), (7, 0));
    })
    .await;
}

#[tokio::test]
async fn items_of_a_batch_keep_their_order_and_fail_alone() {
    served(bundle_service(Arc::new(Fake::new())), async |channel| {
        let mut stub = Stub::new(channel);
        let named = |name: &str| types::Bundle { trust_domain: name.to_owned(), ..types::Bundle::default() };
        let bundle = vec![named("a.test"), named("no domain"), named("spiffe://b.test"), named("a.test")];
        let request = proto::BatchCreateFederatedBundleRequest { bundle, output_mask: None };
        let results = stub.batch_create_federated_bundle(request).await.unwrap().into_inner().results;
        let outcomes: Vec<_> = results
            .iter()
            .map(|result| {
                let name = result.bundle.as_ref().map(|bundle| bundle.trust_domain.as_str());
                (result.status.as_ref().unwrap().code, name)
            })
            .collect();
        let (invalid, exists) = (Code::InvalidArgument as i32, Code::AlreadyExists as i32);
        assert_eq!(outcomes, [(0, Some("a.test")), (invalid, None), (0, Some("b.test")), (exists, None)]);
        let problem = &results[1].status.as_ref().unwrap().message;
        assert!(problem.starts_with("trust domain argument is no trust domain: "), "{problem}");

        let trust_domains = vec!["b.test".to_owned(), "c.test".to_owned()];
        let request = proto::BatchDeleteFederatedBundleRequest { trust_domains, mode: 1 };
        let results = stub.batch_delete_federated_bundle(request).await.unwrap().into_inner().results;
        let codes: Vec<_> = results.iter().map(|result| result.status.as_ref().unwrap().code).collect();
        assert_eq!(codes, [0, Code::NotFound as i32]);
        assert_eq!(results[1].trust_domain, "c.test");
    })
    .await;
}

#[tokio::test]
async fn federated_bundles_are_listed_in_pages() {
    let bundles = (0..1201).map(|n| Bundle::empty(domain(&format!("d{n:04}.test"))));
    served(bundle_service(Arc::new(Fake::with(bundles))), async |channel| {
        let listed = BundleClient::new(channel.clone()).federated_bundles().await.unwrap();
        assert_eq!(listed.len(), 1201);
        assert!(listed.is_sorted_by_key(|bundle| bundle.trust_domain.clone()));
        let mut stub = Stub::new(channel);
        let request =
            proto::ListFederatedBundlesRequest { page_token: "no".to_owned(), ..Default::default() };
        let error = stub.list_federated_bundles(request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        let all = proto::ListFederatedBundlesRequest::default();
        let page = stub.list_federated_bundles(all).await.unwrap().into_inner();
        assert_eq!((page.bundles.len(), page.next_page_token.as_str()), (1201, ""));
    })
    .await;
}

#[tokio::test]
async fn authorities_are_appended_and_there_must_be_one() {
    served(bundle_service(Arc::new(Fake::new())), async |channel| {
        let client = BundleClient::new(channel.clone());
        let more = Ca::new("example.org").bundle().x509_authorities;
        let bundle = client.append_bundle(&more, &[]).await.unwrap();
        assert_eq!(bundle.x509_authorities.len(), 2);
        let error = client.append_bundle(&[], &[]).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "no authorities to append"));
        let key = types::JwtKey { key_id: "one".to_owned(), ..types::JwtKey::default() };
        let request = proto::AppendBundleRequest { jwt_authorities: vec![key], ..Default::default() };
        let error = Stub::new(channel).append_bundle(request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(
            error.message().starts_with("failed to convert JWT authority: jwt authority `one`"),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn deletion_in_an_unknown_mode_is_refused() {
    served(bundle_service(Arc::new(Fake::new())), async |channel| {
        let request = proto::BatchDeleteFederatedBundleRequest { trust_domains: Vec::new(), mode: 3 };
        let error = Stub::new(channel).batch_delete_federated_bundle(request).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "unknown deletion mode: 3"));
    })
    .await;
}

//! FetchX509Bundles and FetchJWTBundles: whom a caller may trust.

use finial_identity::{Bundle, Entry, JwtAuthority, KeyKind, PrivateKey, TrustDomain};
use finial_wire::server::WorkloadApi;
use futures_util::{FutureExt, StreamExt};

use super::Case;
use crate::agent::testing::{Authority, draft, entry, trust_domain};

fn other() -> TrustDomain {
    TrustDomain::parse("other.test").unwrap()
}

fn federating() -> Entry {
    let mut draft = draft("web", &["test:web"]);
    draft.federates_with = vec![other()];
    entry("web", draft)
}

fn federated() -> Bundle {
    let public_key = PrivateKey::generate(KeyKind::EcP256).unwrap().public_key().clone();
    let jwt = JwtAuthority { key_id: "other".to_owned(), public_key, expires_at: None, tainted: false };
    Bundle { jwt_authorities: vec![jwt], ..Bundle::empty(other()) }
}

#[tokio::test]
async fn wap_18_x509_bundles_are_the_own_and_those_federated_with() {
    let db = entry("db", draft("db", &["test:db"]));
    let case = Case::with_server([federating(), db], &["web"], |server| server.federate(federated()));
    let mut stream = case.api.x509_bundles(&case.ctx).await.unwrap();
    let bundles = stream.next().await.unwrap().unwrap();
    let names: Vec<&str> = bundles.iter().map(|bundle| bundle.trust_domain.name()).collect();
    assert_eq!(names, ["example.org", "other.test"]);

    case.become_one_with(&["db"]);
    let mut stream = case.api.x509_bundles(&case.ctx).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().len(), 1, "this one federates with nobody");
}

#[tokio::test]
async fn wap_18_x509_svids_and_jwt_bundles_bring_those_federated_with() {
    let case = Case::with_server([federating()], &["web"], |server| server.federate(federated()));
    let (_, context) = case.fetch().await;
    assert!(context.bundles.bundle(&other()).is_some());
    assert_eq!(context.trust_domain, trust_domain());
    let mut stream = case.api.jwt_bundles(&case.ctx).await.unwrap();
    let bundles = stream.next().await.unwrap().unwrap();
    assert_eq!(bundles.bundle(&other()).unwrap().jwt_authorities[0].key_id, "other");
}

#[tokio::test]
async fn wap_20_jwt_bundles_hold_at_least_the_own_keys() {
    let case = Case::new([federating()], &["web"]);
    let mut stream = case.api.jwt_bundles(&case.ctx).await.unwrap();
    let bundles = stream.next().await.unwrap().unwrap();
    assert_eq!(bundles.bundle(&trust_domain()).unwrap().jwt_authorities[0].key_id, "jwt-1");
}

#[tokio::test]
async fn wap_06_jwt_bundles_are_pushed_only_when_their_keys_change() {
    let case = Case::new([federating()], &["web"]);
    let mut stream = case.api.jwt_bundles(&case.ctx).await.unwrap();
    stream.next().await.unwrap().unwrap();
    case.agent.server.use_authority(Authority::new("second"));
    case.agent.catch_up().await;
    assert!(stream.next().now_or_never().is_none());
    case.agent.server.use_jwt_key("jwt-2");
    assert_eq!(case.agent.cache.meters().jwt_bundles.value(), 1);
    let bundles = case.next(&mut stream).await.unwrap();
    assert_eq!(bundles.bundle(&trust_domain()).unwrap().jwt_authorities.len(), 2);
    assert_eq!(case.agent.cache.meters().jwt_bundles.value(), 2);
}

#[tokio::test]
async fn wap_06_x509_bundles_are_pushed_only_when_their_certificates_change() {
    let case = Case::new([federating()], &["web"]);
    let mut stream = case.api.x509_bundles(&case.ctx).await.unwrap();
    stream.next().await.unwrap().unwrap();
    case.agent.server.use_jwt_key("jwt-2");
    case.agent.catch_up().await;
    assert!(stream.next().now_or_never().is_none());
    case.agent.server.use_authority(Authority::new("second"));
    let bundles = case.next(&mut stream).await.unwrap();
    assert_eq!(bundles.bundle(&trust_domain()).unwrap().x509_authorities.len(), 2);
}

#[tokio::test]
async fn bundle_of_a_domain_no_longer_federated_with_is_taken_away() {
    let case = Case::with_server([federating()], &["web"], |server| server.federate(federated()));
    let mut stream = case.api.x509_bundles(&case.ctx).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().len(), 2);
    case.agent.server.put(entry("web", draft("web", &["test:web"])));
    assert_eq!(case.next(&mut stream).await.unwrap().len(), 1);
}

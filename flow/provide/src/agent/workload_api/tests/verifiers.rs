//! Callers without identity that only verify others, where that is allowed.

use std::time::Duration;

use finial_identity::{Bundle, TrustDomain};
use finial_wire::server::WorkloadApi;
use futures_util::StreamExt;
use tonic::Code;

use super::{Case, WorkloadOptions, audience, code};
use crate::agent::testing::{Authority, FakeServer, draft, entry, spiffe_id};

const MINUTE: Duration = Duration::from_secs(60);

/// An agent that federates for an entry which is not the caller's, where anybody may verify.
fn case() -> Case {
    let other = TrustDomain::parse("other.test").unwrap();
    let mut federating = draft("web", &["test:web"]);
    federating.federates_with = vec![other.clone()];
    let options = WorkloadOptions { allow_unauthenticated_verifiers: true, ..WorkloadOptions::default() };
    let federate = |server: &FakeServer| server.federate(Bundle::empty(other));
    Case::with_options([entry("web", federating)], &["nobody"], federate, options)
}

#[tokio::test]
async fn bundles_are_the_own_one_alone() {
    let case = case();
    let mut x509 = case.api.x509_bundles(&case.ctx).await.unwrap();
    let mut jwt = case.api.jwt_bundles(&case.ctx).await.unwrap();
    for bundles in [x509.next().await.unwrap().unwrap(), jwt.next().await.unwrap().unwrap()] {
        let names: Vec<&str> = bundles.iter().map(|bundle| bundle.trust_domain.name()).collect();
        assert_eq!(names, ["example.org"]);
    }
}

#[tokio::test]
async fn changes_of_the_bundle_are_pushed_to_them_too() {
    let case = case();
    let mut stream = case.api.x509_bundles(&case.ctx).await.unwrap();
    stream.next().await.unwrap().unwrap();
    case.agent.server.use_authority(Authority::new("second"));
    let bundles = case.next(&mut stream).await.unwrap();
    assert_eq!(bundles.iter().next().unwrap().x509_authorities.len(), 2);
}

#[tokio::test]
async fn tokens_are_validated_by_the_own_bundle() {
    let case = case();
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    let token = case.agent.server.token(&spiffe_id("/web"), &audience("api"), MINUTE);
    let svid = case.api.validate_jwt_svid(&case.ctx, "api".to_owned(), token).await.unwrap();
    assert_eq!(*svid.id(), spiffe_id("/web"));
}

#[tokio::test]
async fn identities_are_still_for_those_who_have_one() {
    let case = case();
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    assert_eq!(code(case.api.x509_svids(&case.ctx).await), Code::PermissionDenied);
    assert_eq!(code(case.api.jwt_svids(&case.ctx, audience("api"), None).await), Code::PermissionDenied);
}

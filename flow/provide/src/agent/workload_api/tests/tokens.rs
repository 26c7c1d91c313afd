//! FetchJWTSVID and ValidateJWTSVID.

use std::time::Duration;

use finial_identity::{
    Audience, Bundle, Entry, JwtAuthority, JwtClaims, KeyKind, PrivateKey, SpiffeId, TrustDomain,
};
use finial_wire::server::WorkloadApi;
use futures_util::FutureExt;
use tonic::Code;

use super::{Case, WorkloadOptions, audience, code};
use crate::agent::testing::{FakeServer, draft, entry, sign, spiffe_id};

const MINUTE: Duration = Duration::from_secs(60);

fn two() -> [Entry; 2] {
    let mut hinted = draft("db", &["test:web"]);
    hinted.hint = "internal".to_owned();
    [entry("web", draft("web", &["test:web"])), entry("db", hinted)]
}

#[tokio::test]
async fn wap_19_all_identities_get_a_token_by_entry_id_with_their_hints() {
    let case = Case::new(two(), &["web"]);
    let svids = case.api.jwt_svids(&case.ctx, audience("api"), None).await.unwrap();
    let found: Vec<_> = svids.iter().map(|svid| (svid.id().path(), svid.hint())).collect();
    assert_eq!(found, [("/db", "internal"), ("/web", "")]);
    assert!(svids.iter().all(|svid| svid.audience() == ["api"]));
}

#[tokio::test]
async fn wap_19_named_identity_gets_the_only_token() {
    let case = Case::new(two(), &["web"]);
    let svids = case.api.jwt_svids(&case.ctx, audience("api"), Some(spiffe_id("/web"))).await.unwrap();
    assert_eq!(svids.len(), 1);
    assert_eq!(*svids[0].id(), spiffe_id("/web"));
}

#[tokio::test]
async fn wap_19_identity_of_somebody_else_is_denied() {
    let stranger = entry("other", draft("other", &["test:other"]));
    let case = Case::new(two().into_iter().chain([stranger]), &["web"]);
    let answer = case.api.jwt_svids(&case.ctx, audience("api"), Some(spiffe_id("/other"))).await;
    assert_eq!(code(answer), Code::PermissionDenied);
}

#[tokio::test]
async fn wep_13_server_away_and_nothing_kept_is_unavailable() {
    let case = Case::new(two(), &["web"]);
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    case.agent.server.go_away(true);
    assert_eq!(code(case.api.jwt_svids(&case.ctx, audience("api"), None).await), Code::Unavailable);
}

#[tokio::test]
async fn wap_21_good_token_is_validated_with_all_its_claims() {
    let case = Case::new(two(), &["web"]);
    let token = case.agent.server.token(&spiffe_id("/web"), &audience("api"), MINUTE);
    let svid = case.api.validate_jwt_svid(&case.ctx, "api".to_owned(), token).await.unwrap();
    assert_eq!(*svid.id(), spiffe_id("/web"));
    let mut claims: Vec<&str> = svid.claims().keys().map(String::as_str).collect();
    claims.sort_unstable();
    assert_eq!(claims, ["aud", "exp", "iat", "sub"]);
}

#[tokio::test]
async fn wap_21_bad_tokens_are_invalid_arguments() {
    let case = Case::new(two(), &["web"]);
    let token = case.agent.server.token(&spiffe_id("/web"), &audience("api"), 5 * MINUTE);
    let expired = case.agent.server.token(&spiffe_id("/web"), &audience("api"), Duration::ZERO);
    let tampered = format!("{}AAAA", &token[..token.len() - 4]);
    case.agent.hand.step(2 * MINUTE);
    for (why, audience, token) in [
        ("for others", "db", token),
        ("tampered with", "api", tampered),
        ("expired", "api", expired),
        ("no token", "api", "a.b.c".to_owned()),
        ("empty", "api", String::new()),
    ] {
        let answer = case.api.validate_jwt_svid(&case.ctx, audience.to_owned(), token).await;
        assert_eq!(code(answer), Code::InvalidArgument, "{why}");
    }
}

#[tokio::test]
async fn wap_09_empty_audience_is_an_invalid_argument() {
    let case = Case::new(two(), &["web"]);
    let token = case.agent.server.token(&spiffe_id("/web"), &audience("api"), MINUTE);
    let answer = case.api.validate_jwt_svid(&case.ctx, String::new(), token).await;
    assert_eq!(code(answer), Code::InvalidArgument);
}

/// A trust domain that the caller may federate with, its token for audience `api`, and its bundle.
fn foreign() -> (TrustDomain, String, Bundle) {
    let trust_domain = TrustDomain::parse("other.test").unwrap();
    let key = ("other".to_owned(), PrivateKey::generate(KeyKind::EcP256).unwrap());
    let issued_at = crate::agent::testing::start_of_time();
    let claims = JwtClaims {
        subject: SpiffeId::new(&trust_domain, "/peer").unwrap(),
        audience: Audience::new(["api"]).unwrap(),
        issued_at,
        expires_at: issued_at + 5 * MINUTE,
        issuer: Some("https://other.test".to_owned()),
        id: Some("one".to_owned()),
    };
    let token = sign(&claims, &key);
    let authority = JwtAuthority {
        key_id: key.0,
        public_key: key.1.public_key().clone(),
        expires_at: None,
        tainted: false,
    };
    let bundle = Bundle { jwt_authorities: vec![authority], ..Bundle::empty(trust_domain.clone()) };
    (trust_domain, token, bundle)
}

#[tokio::test]
async fn wap_21_claims_of_a_foreign_token_are_reduced() {
    let (trust_domain, token, bundle) = foreign();
    let mut federating = draft("web", &["test:web"]);
    federating.federates_with = vec![trust_domain];
    let case = Case::with_server([entry("web", federating)], &["web"], |server| server.federate(bundle));
    let svid = case.api.validate_jwt_svid(&case.ctx, "api".to_owned(), token).await.unwrap();
    let mut claims: Vec<&str> = svid.claims().keys().map(String::as_str).collect();
    claims.sort_unstable();
    assert_eq!(claims, ["aud", "exp", "sub"]);
}

#[tokio::test]
async fn claims_of_a_foreign_token_that_are_allowed_by_name_are_told() {
    let (trust_domain, token, bundle) = foreign();
    let mut federating = draft("web", &["test:web"]);
    federating.federates_with = vec![trust_domain];
    let options =
        WorkloadOptions { allowed_foreign_jwt_claims: vec!["iss".to_owned()], ..WorkloadOptions::default() };
    let federate = |server: &FakeServer| server.federate(bundle);
    let case = Case::with_options([entry("web", federating)], &["web"], federate, options);
    let svid = case.api.validate_jwt_svid(&case.ctx, "api".to_owned(), token).await.unwrap();
    let mut claims: Vec<&str> = svid.claims().keys().map(String::as_str).collect();
    claims.sort_unstable();
    assert_eq!(claims, ["aud", "exp", "iss", "sub"]);
}

#[tokio::test]
async fn kept_tokens_are_handed_out_without_a_wait_and_only_to_whom_they_belong() {
    let case = Case::new(two(), &["web"]);
    case.api.jwt_svids(&case.ctx, audience("api"), None).await.unwrap();
    let asked = case.agent.server.calls().tokens;
    let again = case.api.jwt_svids(&case.ctx, audience("api"), None).now_or_never();
    let svids = again.expect("at once").unwrap();
    assert_eq!(svids.iter().map(|svid| svid.hint()).collect::<Vec<_>>(), ["internal", ""]);
    assert_eq!(case.agent.server.calls().tokens, asked);
    case.become_one_with(&["nobody"]);
    let refused = case.api.jwt_svids(&case.ctx, audience("api"), None).await;
    assert_eq!(code(refused), Code::PermissionDenied);
}

#[tokio::test]
async fn wap_11_foreign_token_is_no_good_to_a_caller_that_does_not_federate_with_its_domain() {
    let (trust_domain, token, bundle) = foreign();
    let mut federating = draft("db", &["test:db"]);
    federating.federates_with = vec![trust_domain];
    let entries = two().into_iter().chain([entry("fed", federating)]);
    let case = Case::with_server(entries, &["web"], |server| server.federate(bundle));
    let answer = case.api.validate_jwt_svid(&case.ctx, "api".to_owned(), token).await;
    assert_eq!(code(answer), Code::InvalidArgument);
}

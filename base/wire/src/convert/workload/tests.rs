//! Workload API messages.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_identity::{BundleSet, JwtAuthority, KeyKind, PrivateKey};
use tonic::Code;

use super::{
    jwt_bundles, jwt_svid, requested_id, to_jwt_bundles, to_jwt_svid, to_x509_bundles, to_x509_response,
    x509_bundles, x509_context,
};
use crate::X509Context;
use crate::harness::{Ca, id, jwt_svid as a_jwt_svid, shared, trust_domain};
use crate::proto::workload as proto;

fn context() -> X509Context {
    let (own, other) = (Ca::new("example.org"), Ca::new("other.test"));
    X509Context {
        credentials: vec![own.credential("/b", ""), own.credential("/a", "internal")],
        bundles: shared([own.bundle(), other.bundle()]).into_iter().collect(),
        trust_domain: trust_domain(),
    }
}

#[test]
fn context_survives_the_wire_in_order() {
    let given = context();
    let back = x509_context(to_x509_response(&given).unwrap()).unwrap();
    let paths = |context: &X509Context| {
        let text = |it: &finial_identity::X509Credential| (it.svid().id().to_string(), it.hint().to_owned());
        context.credentials.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(paths(&back), paths(&given));
    assert_eq!(back.bundles, given.bundles);
    assert_eq!(back.trust_domain, given.trust_domain);
    assert_eq!(back.credentials[0].key().pkcs8_der(), given.credentials[0].key().pkcs8_der());
}

#[test]
fn own_bundle_goes_with_the_svid_and_others_by_id() {
    let given = context();
    let sent = to_x509_response(&given).unwrap();
    assert_eq!(sent.federated_bundles.keys().collect::<Vec<_>>(), ["spiffe://other.test"]);
    let own = given.bundles.bundle(&trust_domain()).unwrap();
    assert_eq!(sent.svids[0].bundle, own.x509_der());
    assert_eq!(sent.svids[0].x509_svid, given.credentials[0].svid().chain_der());
    assert!(sent.crl.is_empty());
}

#[test]
fn nobody_is_told_nothing() {
    let nobody = X509Context { credentials: Vec::new(), ..context() };
    let error = to_x509_response(&nobody).unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::PermissionDenied, "no identity issued"));
    let bundleless = X509Context { bundles: BundleSet::default(), ..context() };
    assert_eq!(to_x509_response(&bundleless).unwrap_err().code(), Code::Unavailable);
}

#[test]
fn wap_10_incomplete_messages_are_refused() {
    let sent = || to_x509_response(&context()).unwrap();
    let mut cases: Vec<(&str, proto::X509svidResponse)> = Vec::new();
    cases.push(("missing svids", proto::X509svidResponse { svids: Vec::new(), ..sent() }));
    let mut case = |problem, break_it: fn(&mut proto::X509svid)| {
        let mut message = sent();
        break_it(&mut message.svids[0]);
        cases.push((problem, message));
    };
    case("missing spiffe_id", |svid| svid.spiffe_id.clear());
    case("missing x509_svid", |svid| svid.x509_svid.clear());
    case("missing x509_svid_key", |svid| svid.x509_svid_key.clear());
    case("missing bundle", |svid| svid.bundle.clear());
    case("spiffe_id is no spiffe id", |svid| svid.spiffe_id = "example.org/b".to_owned());
    case("x509-svid is malformed", |svid| svid.x509_svid.truncate(20));
    case("x509-svid's private key is malformed", |svid| svid.x509_svid_key.truncate(20));
    case("bundle is malformed", |svid| svid.bundle.truncate(20));
    case("x509-svid is of `spiffe://example.org/b`, not of `spiffe://example.org/x` as stated", |svid| {
        svid.spiffe_id = "spiffe://example.org/x".to_owned();
    });
    for (problem, message) in cases {
        assert_eq!(x509_context(message).expect_err(problem).to_string(), problem);
    }
}

#[test]
fn key_of_another_svid_is_refused() {
    let mut sent = to_x509_response(&context()).unwrap();
    sent.svids[0].x509_svid_key = sent.svids[1].x509_svid_key.clone();
    assert_eq!(x509_context(sent).unwrap_err().to_string(), "x509-svid is malformed");
}

#[test]
fn wap_15_first_of_equal_hints_wins() {
    let own = Ca::new("example.org");
    let hints = ["h", "h", "", ""];
    let given = X509Context {
        credentials: hints
            .iter()
            .zip(["/1", "/2", "/3", "/4"])
            .map(|(hint, id)| own.credential(id, hint))
            .collect(),
        bundles: shared([own.bundle()]).into_iter().collect(),
        trust_domain: trust_domain(),
    };
    let back = x509_context(to_x509_response(&given).unwrap()).unwrap();
    let paths: Vec<_> = back.credentials.iter().map(|it| it.svid().id().path().to_owned()).collect();
    assert_eq!(paths, ["/1", "/3", "/4"]);
}

#[test]
fn federated_bundle_never_replaces_ones_own() {
    let given = context();
    let mut sent = to_x509_response(&given).unwrap();
    sent.federated_bundles
        .insert("spiffe://example.org".to_owned(), Ca::new("example.org").bundle().x509_der());
    let back = x509_context(sent).unwrap();
    assert_eq!(back.bundles.bundle(&trust_domain()), given.bundles.bundle(&trust_domain()));
}

#[test]
fn bundles_survive_the_wire() {
    let x509 = context().bundles;
    assert_eq!(x509_bundles(to_x509_bundles(&x509)).unwrap(), x509);
    let mut own = finial_identity::Bundle::empty(trust_domain());
    own.jwt_authorities = vec![JwtAuthority {
        key_id: "one".to_owned(),
        public_key: PrivateKey::generate(KeyKind::EcP256).unwrap().public_key().clone(),
        expires_at: None,
        tainted: false,
    }];
    let jwt: BundleSet = [Arc::new(own)].into_iter().collect();
    assert_eq!(jwt_bundles(to_jwt_bundles(&jwt)).unwrap(), jwt);
}

#[test]
fn bundles_under_a_bad_name_are_refused() {
    let bad =
        proto::X509BundlesResponse { bundles: [("x y".to_owned(), Vec::new())].into(), crl: Vec::new() };
    assert!(x509_bundles(bad).is_err());
    let bad =
        proto::JwtBundlesResponse { bundles: [("spiffe://example.org".to_owned(), b"{".to_vec())].into() };
    assert_eq!(jwt_bundles(bad).unwrap_err().to_string(), "bundle is malformed");
}

#[test]
fn jwt_svids_survive_the_wire() {
    let given = a_jwt_svid("/db", &["a"]).with_hint("internal");
    let back = jwt_svid(to_jwt_svid(&given)).unwrap();
    assert_eq!((back.token(), back.hint()), (given.token(), "internal"));
    let other = proto::Jwtsvid { spiffe_id: id("/web").to_string(), ..to_jwt_svid(&given) };
    assert!(jwt_svid(other).is_err());
}

#[test]
fn requested_id_is_none_or_well_formed() {
    assert_eq!(requested_id("").unwrap(), None);
    assert_eq!(requested_id("spiffe://example.org/db").unwrap(), Some(id("/db")));
    assert_eq!(requested_id("db").unwrap_err().to_string(), "requested spiffe_id is no spiffe id");
}

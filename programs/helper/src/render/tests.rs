//! What the files hold, in every form.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use finial_identity::{BundleSet, Keystore, KeystoreError, SpiffeId, X509Credential, X509Svid};
use finial_receive::X509Context;
use finial_receive::testing::{Authority, pem, start};
use rustls_pki_types::CertificateDer;

use super::{Rendered, Turn, jwt_bundles, x509};
use crate::{FileName, Mode, Place, Whose, X509Output};

const WEB: &str = "spiffe://example.org/web";

fn place(name: &str, mode: Mode) -> Place {
    Place { name: FileName::parse(name).unwrap(), mode }
}

/// The three files of spiffe-helper.
fn three() -> X509Output {
    X509Output {
        whose: Whose::Default,
        pair: Some((place("chain", Mode::PUBLIC), place("key", Mode::SECRET))),
        bundle: Some(place("bundle", Mode::PUBLIC)),
        combined: None,
        keystore: None,
        truststore: None,
        password_file: None,
        credential_folder: None,
        add_intermediates_to_bundle: false,
        include_federated_domains: false,
        omit_expired: false,
    }
}

fn certificate(authority: &Authority) -> CertificateDer<'static> {
    authority.bundle().x509_authorities[0].certificate().clone()
}

/// A credential whose chain goes on with another's certificate.
fn with_intermediate(authority: &Authority, other: &Authority, id: &str, hint: &str) -> X509Credential {
    let (mut chain, key) = authority.leaf(id, start(), |_| {});
    chain.push(certificate(other));
    X509Credential::new(X509Svid::from_chain(chain).unwrap(), key, hint.to_owned()).unwrap()
}

fn context(credentials: Vec<X509Credential>, bundles: BundleSet) -> X509Context {
    X509Context::new(credentials, bundles, start()).unwrap()
}

fn rendered(output: &X509Output, context: &X509Context) -> Vec<Rendered> {
    x509(output, context, "sesam12", start()).unwrap()
}

fn text(files: &[Rendered], name: &str) -> String {
    let file = files.iter().find(|file| file.name.as_str() == name);
    String::from_utf8(file.unwrap_or_else(|| panic!("no {name}")).bytes.to_vec()).unwrap()
}

#[test]
fn three_files_are_as_spiffe_helper_writes_them() {
    let (authority, middle) = (Authority::new("example.org"), Authority::new("example.org"));
    let context = context(vec![with_intermediate(&authority, &middle, WEB, "")], authority.bundles());
    let files = rendered(&three(), &context);
    let credential = context.credential().unwrap();
    assert_eq!(text(&files, "chain"), pem(credential.svid().chain()));
    assert_eq!(text(&files, "bundle"), pem(&[certificate(&authority)]));
    let key = text(&files, "key");
    assert_eq!(key, *credential.key().to_pem());
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n") && key.ends_with("-----END PRIVATE KEY-----\n"));
    let turns = files.iter().map(|file| (file.turn, file.mode.bits())).collect::<Vec<_>>();
    assert_eq!(turns, [(Turn::Trust, 0o644), (Turn::Key, 0o600), (Turn::Chain, 0o644)]);
}

#[test]
fn intermediates_go_to_the_bundle_before_federated_authorities() {
    let (authority, middle) = (Authority::new("example.org"), Authority::new("example.org"));
    let other = Authority::new("a.test");
    let mut bundles = authority.bundles();
    bundles.insert(other.bundle());
    let context = context(vec![with_intermediate(&authority, &middle, WEB, "")], bundles);
    let output = X509Output { add_intermediates_to_bundle: true, include_federated_domains: true, ..three() };
    let files = rendered(&output, &context);
    let leaf = context.credential().unwrap().svid().leaf().clone();
    assert_eq!(text(&files, "chain"), pem(&[leaf]));
    let bundle = [certificate(&authority), certificate(&middle), certificate(&other)];
    assert_eq!(text(&files, "bundle"), pem(&bundle));
    let alone = rendered(&three(), &context);
    assert_eq!(text(&alone, "bundle"), pem(&bundle[..1]), "others' authorities only when asked for");
}

#[test]
fn expired_authorities_are_left_out_when_asked() {
    let authority = Authority::new("example.org");
    let context = context(vec![authority.credential(WEB)], authority.bundles());
    let output = X509Output { omit_expired: true, ..three() };
    let later = start() + Duration::from_secs(11 * 24 * 3600);
    let bundle = |output: &X509Output, at| text(&x509(output, &context, "", at).unwrap(), "bundle");
    assert_eq!(bundle(&output, later), "");
    assert_ne!(bundle(&output, start()), "");
    assert_ne!(bundle(&three(), later), "");
}

#[test]
fn identity_is_found_by_hint_or_id_or_the_error_names_what_there_is() {
    let authority = Authority::new("example.org");
    let credentials = vec![
        authority.credential_with_hint(WEB, start(), "internal"),
        authority.credential_with_hint("spiffe://example.org/db", start(), "external"),
    ];
    let context = context(credentials, authority.bundles());
    let chain = |whose: Whose| {
        let files = x509(&X509Output { whose, ..three() }, &context, "", start());
        files.map(|files| text(&files, "chain")).map_err(|error| error.to_string())
    };
    let of = |at: usize| pem(context.credentials()[at].svid().chain());
    let id = |text| Whose::Id(SpiffeId::parse(text).unwrap());
    assert_eq!(chain(Whose::Default), Ok(of(0)));
    assert_eq!(chain(Whose::Hint("external".into())), Ok(of(1)));
    assert_eq!(chain(id("spiffe://example.org/db")), Ok(of(1)));
    assert_eq!(
        chain(Whose::Hint("other".into())).unwrap_err(),
        "failed to find the hinted x509 SVID: none has the hint `other`, the agent gave `internal`, `external`"
    );
    assert_eq!(
        chain(id("spiffe://example.org/x")).unwrap_err(),
        "no X509-SVID is of spiffe://example.org/x: the agent gave `spiffe://example.org/web`, `spiffe://example.org/db`"
    );
}

#[test]
fn combined_file_has_the_chain_then_the_key() {
    let authority = Authority::new("example.org");
    let context = context(vec![authority.credential(WEB)], authority.bundles());
    let output = X509Output { pair: None, combined: Some(place("both", Mode::SECRET)), ..three() };
    let files = rendered(&output, &context);
    let credential = context.credential().unwrap();
    let expected = format!("{}{}", pem(credential.svid().chain()), *credential.key().to_pem());
    assert_eq!(text(&files, "both"), expected);
}

#[test]
fn keystore_and_truststore_open_with_their_password() {
    let authority = Authority::new("example.org");
    let context = context(vec![authority.credential(WEB)], authority.bundles());
    let output = X509Output {
        keystore: Some(place("k", Mode::SECRET)),
        truststore: Some(place("t", Mode::PUBLIC)),
        ..three()
    };
    let files = rendered(&output, &context);
    let opened = |name: &str| {
        let file = files.iter().find(|file| file.name.as_str() == name).unwrap();
        Keystore::open(&file.bytes, "sesam12")
    };
    let keystore = opened("k").unwrap();
    let credential = context.credential().unwrap();
    assert_eq!(keystore.chain, credential.svid().chain());
    assert_eq!(keystore.key.pkcs8_der(), credential.key().pkcs8_der());
    assert!(matches!(opened("t"), Err(KeystoreError::NoKey)));
}

#[test]
fn folder_of_the_draft_has_the_key_first_no_anchor_and_a_bundle_of_each_domain() {
    let authority = Authority::new("example.org");
    let other = Authority::new("a.test");
    let mut bundles = authority.bundles();
    bundles.insert(other.bundle());
    // Some agents put the anchor at the end of the chain.
    let context = context(vec![with_intermediate(&authority, &authority, WEB, "")], bundles);
    let output = X509Output {
        pair: None,
        bundle: None,
        credential_folder: Some((Mode::SECRET, Mode::PUBLIC)),
        ..three()
    };
    let files = rendered(&output, &context);
    let credential = context.credential().unwrap();
    let expected = format!("{}{}", *credential.key().to_pem(), pem(&credential.svid().chain()[..1]));
    assert_eq!(text(&files, "credential-bundle.private-key.pem"), expected);
    assert_eq!(text(&files, "a.test.spiffe-trust-bundle.pem"), pem(&[certificate(&other)]));
    assert_eq!(text(&files, "example.org.spiffe-trust-bundle.pem"), pem(&[certificate(&authority)]));
    assert_eq!(files.len(), 3);
}

#[test]
fn jwt_bundles_are_jwk_sets_in_base64_by_trust_domain() {
    let bundles = [Authority::new("example.org").bundle(), Authority::new("a.test").bundle()];
    let set = bundles.iter().cloned().collect::<BundleSet>();
    let file = jwt_bundles(&place("jwt.json", Mode::SECRET), &set);
    let read: serde_json::Value = serde_json::from_slice(&file.bytes).unwrap();
    let members = read.as_object().unwrap();
    assert_eq!(members.keys().collect::<Vec<_>>(), ["a.test", "example.org"]);
    let jwks = STANDARD.decode(members["example.org"].as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(jwks).unwrap(), Arc::clone(&bundles[0]).to_jwks());
    assert_eq!(&*jwt_bundles(&place("jwt.json", Mode::SECRET), &BundleSet::default()).bytes, b"{}");
}

#[test]
fn debug_hides_the_bytes() {
    let authority = Authority::new("example.org");
    let context = context(vec![authority.credential(WEB)], authority.bundles());
    let shown = format!("{:?}", rendered(&three(), &context));
    assert!(!shown.contains("BEGIN") && !shown.contains("45, 45"), "{shown}");
}

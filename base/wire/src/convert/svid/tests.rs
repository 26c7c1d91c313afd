//! SVIDs.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{audience, jwt_svid, to_jwt_svid, to_x509_svid, x509_params, x509_svid};
use crate::convert::id::to_spiffe_id;
use crate::harness::{Ca, id, jwt_svid as a_jwt_svid};
use crate::proto::svid::NewX509svidParams;
use crate::proto::types;

#[test]
fn x509_svids_survive_the_wire() {
    let given = Ca::new("example.org").svid("/db");
    let back = x509_svid(Some(to_x509_svid(&given))).unwrap();
    assert_eq!((back.chain(), back.id()), (given.chain(), given.id()));
}

#[test]
fn x509_svid_of_another_id_is_refused() {
    let sent = to_x509_svid(&Ca::new("example.org").svid("/db"));
    let other = types::X509svid { id: Some(to_spiffe_id(&id("/web"))), ..sent.clone() };
    assert_eq!(
        x509_svid(Some(other)).unwrap_err().to_string(),
        "x509-svid is of `spiffe://example.org/db`, not of `spiffe://example.org/web` as stated"
    );
    let empty = types::X509svid { cert_chain: Vec::new(), ..sent.clone() };
    assert_eq!(x509_svid(Some(empty)).unwrap_err().to_string(), "x509-svid is malformed");
    let nameless = types::X509svid { id: None, ..sent };
    assert_eq!(x509_svid(Some(nameless)).unwrap_err().to_string(), "missing x509-svid's id");
    assert_eq!(x509_svid(None).unwrap_err().to_string(), "missing x509-svid");
}

#[test]
fn jwt_svids_survive_the_wire() {
    let given = a_jwt_svid("/db", &["a", "b"]).with_hint("internal");
    let back = jwt_svid(Some(to_jwt_svid(&given))).unwrap();
    assert_eq!((back.token(), back.id(), back.hint()), (given.token(), given.id(), "internal"));
}

#[test]
fn jwt_svid_of_another_id_is_refused() {
    let sent = to_jwt_svid(&a_jwt_svid("/db", &["a"]));
    let other = types::Jwtsvid { id: Some(to_spiffe_id(&id("/web"))), ..sent.clone() };
    assert!(jwt_svid(Some(other)).unwrap_err().to_string().contains("as stated"));
    let garbage = types::Jwtsvid { token: "SECRET".to_owned(), ..sent };
    let error = jwt_svid(Some(garbage)).unwrap_err().bad_answer();
    assert!(
        error.message().starts_with("the server's answer is malformed: jwt-svid is malformed: "),
        "{error}"
    );
    assert!(!error.message().contains("SECRET"));
    assert_eq!(jwt_svid(None).unwrap_err().to_string(), "missing jwt-svid");
}

#[test]
fn request_for_an_x509_svid_needs_entry_and_csr() {
    let params =
        |entry_id: &str, csr: &[u8]| NewX509svidParams { entry_id: entry_id.to_owned(), csr: csr.to_vec() };
    assert!(x509_params(params("one", b"csr")).is_ok());
    assert_eq!(x509_params(params("", b"csr")).unwrap_err().to_string(), "missing entry ID");
    assert_eq!(x509_params(params("a b", b"csr")).unwrap_err().to_string(), "entry id is malformed");
    assert_eq!(x509_params(params("one", b"")).unwrap_err().to_string(), "missing CSR");
}

#[test]
fn audience_has_one_to_64_names() {
    assert!(audience(vec!["db".to_owned()]).is_ok());
    assert!(audience(Vec::new()).is_err());
    assert!(audience(vec![String::new()]).is_err());
    let error = audience(vec!["a".to_owned(); 65]).unwrap_err().to_string();
    assert_eq!(error, "65 audiences sent; at most 64 are allowed, send fewer at a time");
}

#[test]
fn audiences_are_no_longer_than_a_token_that_somebody_reads() {
    assert!(audience(vec!["a".repeat(2048); 2]).is_ok());
    let error = audience(vec!["a".repeat(2048), "b".repeat(2049)]).unwrap_err().to_string();
    assert_eq!(error, "audiences of 4097 bytes sent; at most 4096 are allowed");
}

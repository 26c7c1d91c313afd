//! Lists good and bad, and whom they refuse.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use rcgen::{
    CertificateParams, CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, date_time_ymd,
};

use super::*;
use crate::{
    BundleSet, ForeignChain, ForeignChainError, Role, X509Authority, X509Error, X509Svid,
    testing::{TestCa, authority, bundles, leaf, now, uri},
};

const SERIAL: u64 = 0x0a1b_2c3d;

/// Fresh until 2026-06-20, five days after [`now`].
fn list(ca: &TestCa, serials: &[u64]) -> Vec<u8> {
    let revoked = |serial: &u64| RevokedCertParams {
        serial_number: (*serial).into(),
        revocation_time: date_time_ymd(2026, 6, 10),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 6, 10),
        next_update: date_time_ymd(2026, 6, 20),
        crl_number: 1u64.into(),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    ca.revoke(&params).to_vec()
}

fn lists(ca: &TestCa, serials: &[u64]) -> RevocationLists {
    RevocationLists::parse(&list(ca, serials)).unwrap()
}

fn bundle(authorities: &[&TestCa]) -> BundleSet {
    bundles("example.org", authorities.iter().map(|ca| ca.x509_authority()))
}

fn params() -> CertificateParams {
    let mut params = leaf(vec![uri("spiffe://example.org/a")]);
    params.serial_number = Some(SERIAL.into());
    params
}

fn svid(chain: Vec<rustls_pki_types::CertificateDer<'static>>) -> X509Svid {
    X509Svid::from_chain(chain).unwrap()
}

fn refusal(svid: &X509Svid, bundles: &BundleSet, lists: &RevocationLists, at: SystemTime) -> Option<Revoked> {
    match svid.verify_unrevoked(bundles, lists, at, Role::Client) {
        Ok(_) => None,
        Err(X509Error::Revoked(revoked)) => Some(revoked),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn list_of_an_issuer_that_may_sign_no_lists_proves_nothing() {
    let mut params_of_root = authority("root");
    params_of_root.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    // Made by a twin that may: same name and key.
    let key = rcgen::KeyPair::generate().unwrap();
    let root = TestCa::with_key(params_of_root, key.serialized_der());
    let twin = TestCa::with_key(authority("root"), key.serialized_der());
    let svid = svid(vec![root.sign(&params())]);
    let refused = refusal(&svid, &bundle(&[&root]), &lists(&twin, &[]), now());
    assert_eq!(refused, Some(Revoked::Unproven));
    assert_eq!(refusal(&svid, &bundle(&[&twin]), &lists(&twin, &[]), now()), None);
}

#[test]
fn certificate_in_the_list_of_its_issuer_is_refused_and_others_are_not() {
    let ca = TestCa::root("root");
    let (svid, bundles) = (svid(vec![ca.sign(&params())]), bundle(&[&ca]));
    let listed = Revoked::Listed { serial_number: "0a1b2c3d".to_owned() };
    assert_eq!(refusal(&svid, &bundles, &lists(&ca, &[1, SERIAL]), now()), Some(listed));
    assert_eq!(refusal(&svid, &bundles, &lists(&ca, &[1, SERIAL + 1]), now()), None);
    assert_eq!(refusal(&svid, &bundles, &lists(&ca, &[]), now()), None);
    assert_eq!(refusal(&svid, &bundles, &RevocationLists::default(), now()), None);
}

#[test]
fn list_counts_for_peers_of_the_web_alike() {
    let ca = TestCa::root("root");
    let chain = ForeignChain::from_chain(vec![ca.sign(&params())]).unwrap();
    let verify =
        |lists: &RevocationLists| chain.verify_for(Role::Server, &[ca.x509_authority()], lists, now());
    assert!(matches!(verify(&lists(&ca, &[SERIAL])), Err(ForeignChainError::Revoked(_))));
    assert!(verify(&lists(&ca, &[])).is_ok());
}

#[test]
fn chain_whose_intermediate_was_revoked_is_refused() {
    let root = TestCa::root("root");
    let mut above = authority("intermediate");
    above.serial_number = Some(7u64.into());
    let ca = root.intermediate(above);
    let (svid, bundles) = (svid(vec![ca.sign(&params()), ca.der()]), bundle(&[&root]));
    let of_root = lists(&root, &[7]);
    assert!(matches!(refusal(&svid, &bundles, &of_root, now()), Some(Revoked::Listed { .. })));
    let of_ca = lists(&ca, &[SERIAL]);
    assert!(matches!(refusal(&svid, &bundles, &of_ca, now()), Some(Revoked::Listed { .. })));
    // The same numbers, in the list of the other.
    assert_eq!(refusal(&svid, &bundles, &lists(&root, &[SERIAL]).and(&lists(&ca, &[7])), now()), None);
}

#[test]
fn authorities_that_share_a_name_have_lists_of_their_own() {
    let (old, new) = (TestCa::root("root"), TestCa::root("root"));
    let (svid, bundles) = (svid(vec![new.sign(&params())]), bundle(&[&old, &new]));
    assert_eq!(refusal(&svid, &bundles, &lists(&old, &[SERIAL]), now()), None);
    let both = lists(&old, &[]).and(&lists(&new, &[SERIAL]));
    assert!(matches!(refusal(&svid, &bundles, &both, now()), Some(Revoked::Listed { .. })));
}

#[test]
fn altered_list_refuses_whom_it_might_have_named() {
    let ca = TestCa::root("root");
    let mut der = list(&ca, &[SERIAL]);
    let at = der.windows(4).position(|bytes| bytes == [0x0a, 0x1b, 0x2c, 0x3d]).unwrap();
    der[at] ^= 1;
    let altered = RevocationLists::parse(&der).unwrap();
    let (svid, bundles) = (svid(vec![ca.sign(&params())]), bundle(&[&ca]));
    assert_eq!(refusal(&svid, &bundles, &altered, now()), Some(Revoked::Unproven));
}

#[test]
fn expired_list_refuses_its_issuers_peers_until_there_is_a_newer_one() {
    let (ca, other) = (TestCa::root("root"), TestCa::root("other"));
    let (svid, bundles) = (svid(vec![ca.sign(&params())]), bundle(&[&ca, &other]));
    let fresh = lists(&ca, &[]);
    let end = fresh.next_update().unwrap();
    assert_eq!(refusal(&svid, &bundles, &fresh, end - Duration::from_secs(1)), None);
    assert_eq!(refusal(&svid, &bundles, &fresh, end), Some(Revoked::Expired));
    assert_eq!(refusal(&svid, &bundles, &lists(&other, &[]), end), None);
    // Who was accepted before stays, unless the list names it.
    assert_eq!(refusal(&svid, &bundles, &fresh.even_if_expired(), end), None);
    let named = lists(&ca, &[SERIAL]).even_if_expired();
    assert!(matches!(refusal(&svid, &bundles, &named, end), Some(Revoked::Listed { .. })));
}

#[test]
fn several_lists_in_pem_are_read() {
    let (one, two) = (TestCa::root("one"), TestCa::root("two"));
    let pem = |der: &[u8]| der::pem::encode_string("X509 CRL", der::pem::LineEnding::LF, der).unwrap();
    let ders = [list(&one, &[]), list(&two, &[SERIAL])];
    let text = format!("# ours\n{}{}", pem(&ders[0]), pem(&ders[1]));
    let both = RevocationLists::parse(text.as_bytes()).unwrap();
    let [first, second] = ders.map(|der| RevocationLists::parse(&der).unwrap());
    assert_eq!(both, first.and(&second));
    let torn = &text[..text.len() - 40];
    assert!(matches!(RevocationLists::parse(torn.as_bytes()), Err(RevocationListError::Pem(_))));
}

#[test]
fn what_is_no_list_is_refused() {
    let ca = TestCa::root("root");
    let der = list(&ca, &[SERIAL]);
    let certificate = X509Authority::parse_der(ca.der().to_vec()).unwrap();
    let trailing = [&der[..], b"\0"].concat();
    for (content, why) in [
        (&b""[..], "empty"),
        (b"nothing", "no pem"),
        (&der[..der.len() - 1], "torn"),
        (&trailing, "something after it"),
        (certificate.certificate(), "a certificate"),
    ] {
        assert!(RevocationLists::parse(content).is_err(), "{why}");
    }
    assert!(matches!(RevocationLists::parse(b"\n"), Err(RevocationListError::Empty)));
}

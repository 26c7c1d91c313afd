//! X.509-SVIDs: every row of the standard's checklist that concerns reading and verifying one.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{error::Error, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SanType, SerialNumber, date_time_ymd,
};
use rustls_pki_types::CertificateDer;

use super::{CertificateError, Role, X509Authority, X509Credential, X509Error, X509Svid};
use crate::{
    BundleSet, PrivateKey, SpiffeIdError,
    testing::{TestCa, authority, bundles, leaf, now, td, uri},
};

const ID: &str = "spiffe://td/workload";
const SAN: &[u64] = &[2, 5, 29, 17];
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const NAME_CONSTRAINTS: &[u64] = &[2, 5, 29, 30];

fn workload() -> CertificateParams {
    leaf(vec![uri(ID)])
}

/// What becomes of a leaf directly below the root of its trust domain, presented in either role.
fn present(params: &CertificateParams) -> Result<X509Svid, X509Error> {
    let root = TestCa::root("root");
    verify(vec![root.sign(params)], &root.bundles("td"))
}

fn verify(chain: Vec<CertificateDer<'static>>, bundles: &BundleSet) -> Result<X509Svid, X509Error> {
    let svid = X509Svid::from_chain(chain)?;
    svid.verify(bundles, now(), Role::Server)?;
    Ok(svid.verify(bundles, now(), Role::Client)?.into_inner())
}

fn leaf_rule(params: &CertificateParams) -> &'static str {
    match present(params) {
        Err(X509Error::Leaf(rule)) => rule,
        other => panic!("expected a broken leaf rule, got {other:?}"),
    }
}

fn chain_error(outcome: Result<X509Svid, X509Error>) -> webpki::Error {
    match outcome {
        Err(X509Error::Chain(error)) => error,
        other => panic!("expected a chain error, got {other:?}"),
    }
}

#[test]
fn good_svid_is_verified() {
    let svid = present(&workload()).unwrap();
    assert_eq!(svid.id().as_str(), ID);
}

#[test]
fn xsv_02_more_than_one_uri_name_is_refused() {
    for second in ["spiffe://td/other", "https://example.org", ID, "urn:x:y"] {
        for names in [vec![uri(ID), uri(second)], vec![uri(second), uri(ID)]] {
            assert_eq!(leaf_rule(&leaf(names)), "has more than one uri name", "{second}");
        }
    }
}

#[test]
fn xsv_02_two_name_extensions_are_refused() {
    let mut params = workload();
    let uri = [&[0x30, 0x16, 0x86, 0x14][..], b"spiffe://td/workload"].concat();
    params.custom_extensions.push(CustomExtension::from_oid_content(SAN, uri));
    assert!(matches!(present(&params), Err(X509Error::Certificate(CertificateError::DuplicateExtension(_)))));
}

#[test]
fn xsv_03_no_uri_name_is_refused() {
    let dns_only = leaf(vec![SanType::DnsName("td".try_into().unwrap())]);
    assert_eq!(leaf_rule(&dns_only), "has no uri name");
    assert_eq!(leaf_rule(&leaf(vec![])), "has no uri name");
}

#[test]
fn xsv_04_id_without_path_is_refused_by_the_parser_already() {
    let root = TestCa::root("root");
    let der = root.sign(&leaf(vec![uri("spiffe://td")]));
    assert!(matches!(X509Svid::parse_der(&der), Err(X509Error::Leaf(_))));
    assert!(matches!(verify(vec![der], &root.bundles("td")), Err(X509Error::Leaf(_))));
}

#[test]
fn xsv_05_names_of_other_types_are_accepted() {
    let params = leaf(vec![
        SanType::DnsName("td".try_into().unwrap()),
        SanType::IpAddress([127, 0, 0, 1].into()),
        SanType::Rfc822Name("a@b".try_into().unwrap()),
        SanType::OtherName((vec![1, 2, 3], rcgen::OtherNameValue::Utf8String("x".into()))),
        uri(ID),
    ]);
    assert_eq!(present(&params).unwrap().id().as_str(), ID);
}

#[test]
fn xsv_06_name_extension_is_accepted_critical_and_not() {
    // With a subject it is not critical, without one it is.
    assert!(present(&workload()).is_ok());
    let mut no_subject = workload();
    no_subject.distinguished_name = rcgen::DistinguishedName::new();
    assert!(present(&no_subject).is_ok());
}

#[test]
fn xsv_06_leaf_without_subject_needs_critical_names() {
    let mut params = workload();
    params.distinguished_name = rcgen::DistinguishedName::new();
    assert!(present(&params).is_ok(), "rcgen makes the names critical then");
    let names = [&[0x30, 2 + ID.len() as u8, 0x86, ID.len() as u8], ID.as_bytes()].concat();
    params.subject_alt_names = vec![];
    params.custom_extensions = vec![CustomExtension::from_oid_content(SUBJECT_ALT_NAME, names)];
    assert_eq!(leaf_rule(&params), "has neither a subject nor critical names");
}

#[test]
fn certificate_that_writes_out_a_default_is_refused() {
    let mut params = workload();
    params.is_ca = IsCa::NoCa;
    params.custom_extensions =
        vec![CustomExtension::from_oid_content(BASIC_CONSTRAINTS, vec![0x30, 3, 1, 1, 0])];
    let outcome = present(&params);
    assert!(matches!(outcome, Err(X509Error::Certificate(CertificateError::OtherForm))), "{outcome:?}");
}

#[test]
fn xsv_08_authority_needs_no_id_and_may_have_a_malformed_one() {
    for names in [vec![], vec![uri("spiffe://td")], vec![uri("spiffe://td/")], vec![uri("spiffe://other/a")]]
    {
        let mut params = authority("root");
        params.subject_alt_names = names;
        let root = TestCa::of(params);
        verify(vec![root.sign(&workload())], &root.bundles("td")).unwrap();
    }
}

#[test]
fn xsv_09_ca_as_leaf_is_refused() {
    let root = TestCa::root("root");
    let mut params = authority("intermediate");
    params.subject_alt_names = vec![uri(ID)];
    let intermediate = root.intermediate(params);
    for chain in [vec![root.der()], vec![intermediate.der()], vec![intermediate.der(), root.der()]] {
        let outcome = verify(chain, &root.bundles("td"));
        assert!(matches!(outcome, Err(X509Error::Leaf("is a certificate authority"))));
    }
}

#[test]
fn xsv_10_leaf_with_ca_bit_is_refused() {
    let mut params = workload();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(leaf_rule(&params), "is a certificate authority");
}

#[test]
fn xsv_10_leaf_without_basic_constraints_is_accepted() {
    let mut params = workload();
    params.is_ca = IsCa::NoCa;
    assert!(present(&params).is_ok());
}

#[test]
fn xsv_11_uri_name_constraints_refuse_every_chain() {
    // Permitted subtree: the URI host "td". Path validation does not evaluate them, so it fails closed.
    for critical in [true, false] {
        let mut params = authority("root");
        let mut constraints = CustomExtension::from_oid_content(
            NAME_CONSTRAINTS,
            vec![0x30, 8, 0xa0, 6, 0x30, 4, 0x86, 2, b't', b'd'],
        );
        constraints.set_criticality(critical);
        params.custom_extensions.push(constraints);
        let root = TestCa::of(params);
        assert_eq!(
            chain_error(verify(vec![root.sign(&workload())], &root.bundles("td"))),
            webpki::Error::NameConstraintViolation
        );
    }
}

#[test]
fn xsv_11_other_name_constraints_are_evaluated() {
    let mut params = authority("root");
    let network = CidrSubnet::from_v4_prefix([10, 0, 0, 0], 8);
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::IpAddress(network)],
        excluded_subtrees: vec![],
    });
    let root = TestCa::of(params);
    let at = |address: [u8; 4]| leaf(vec![uri(ID), SanType::IpAddress(address.into())]);
    assert!(verify(vec![root.sign(&at([10, 1, 1, 1]))], &root.bundles("td")).is_ok());
    assert!(verify(vec![root.sign(&at([11, 1, 1, 1]))], &root.bundles("td")).is_err());
}

#[test]
fn xsv_12_leaf_without_key_usage_is_refused() {
    let mut params = workload();
    params.key_usages = vec![];
    assert_eq!(leaf_rule(&params), "has no key usage");
}

#[test]
fn xsv_13_leaf_without_digital_signature_is_refused() {
    let mut params = workload();
    params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    assert_eq!(leaf_rule(&params), "lacks key usage digitalSignature");
}

#[test]
fn xsv_14_leaf_that_may_sign_certificates_or_crls_is_refused() {
    for (usage, rule) in [
        (KeyUsagePurpose::KeyCertSign, "has key usage keyCertSign"),
        (KeyUsagePurpose::CrlSign, "has key usage cRLSign"),
    ] {
        let mut params = workload();
        params.key_usages.push(usage);
        assert_eq!(leaf_rule(&params), rule);
    }
}

#[test]
fn xsv_15_extended_key_usage_must_allow_the_role_if_there_is_one() {
    let outcome = |usages: &[ExtendedKeyUsagePurpose], role| {
        let root = TestCa::root("root");
        let mut params = workload();
        params.extended_key_usages = usages.to_vec();
        let svid = X509Svid::from_chain(vec![root.sign(&params)]).unwrap();
        svid.verify(&root.bundles("td"), now(), role).is_ok()
    };
    use ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
    for (usages, as_client, as_server) in [
        (&[][..], true, true),
        (&[ServerAuth, ClientAuth], true, true),
        (&[ServerAuth], false, true),
        (&[ClientAuth], true, false),
        (&[CodeSigning], false, false),
    ] {
        assert_eq!(outcome(usages, Role::Client), as_client, "{usages:?}");
        assert_eq!(outcome(usages, Role::Server), as_server, "{usages:?}");
    }
}

#[test]
fn xsv_16_authority_may_have_extended_key_usage() {
    let root = TestCa::root("root");
    let mut params = authority("intermediate");
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let intermediate = root.intermediate(params);
    verify(vec![intermediate.sign(&workload()), intermediate.der()], &root.bundles("td")).unwrap();
}

#[test]
fn xsv_17_validity_of_the_leaf_counts_to_the_second() {
    let root = TestCa::root("root");
    let svid = X509Svid::from_chain(vec![root.sign(&workload())]).unwrap();
    let second = Duration::from_secs(1);
    let valid = |at| svid.verify(&root.bundles("td"), at, Role::Client).is_ok();
    assert!(valid(svid.not_before()) && valid(svid.not_after()));
    assert!(!valid(svid.not_before() - second) && !valid(svid.not_after() + second));
}

#[test]
fn xsv_17_signature_by_another_key_is_refused() {
    let (root, imposter) = (TestCa::root("root"), TestCa::root("root"));
    let outcome = verify(vec![imposter.sign(&workload())], &root.bundles("td"));
    assert_eq!(chain_error(outcome).to_string(), "InvalidSignatureForPublicKey");
}

#[test]
fn xsv_17_every_altered_byte_of_a_leaf_is_noticed() {
    let root = TestCa::root("root");
    let der = root.sign(&workload());
    let bundles = root.bundles("td");
    for index in 0..der.len() {
        let mut altered = der.to_vec();
        altered[index] ^= 1;
        assert!(verify(vec![altered.into()], &bundles).is_err(), "byte {index}");
    }
}

#[test]
fn xsv_17_untrusted_root_is_refused_though_it_is_in_the_chain() {
    let (root, other) = (TestCa::root("root"), TestCa::root("other"));
    let outcome = verify(vec![other.sign(&workload()), other.der()], &root.bundles("td"));
    assert!(matches!(outcome, Err(X509Error::Chain(_))));
}

#[test]
fn xsv_17_intermediates_are_followed_in_any_order_and_needed() {
    let root = TestCa::root("root");
    let upper = root.intermediate(authority("upper"));
    let lower = upper.intermediate(authority("lower"));
    let leaf = lower.sign(&workload());
    let bundles = root.bundles("td");
    verify(vec![leaf.clone(), lower.der(), upper.der()], &bundles).unwrap();
    verify(vec![leaf.clone(), upper.der(), lower.der()], &bundles).unwrap();
    verify(vec![leaf.clone(), upper.der(), root.der(), lower.der()], &bundles).unwrap();
    assert!(verify(vec![leaf.clone(), lower.der()], &bundles).is_err());
    assert!(verify(vec![leaf], &bundles).is_err());
}

#[test]
fn xsv_17_intermediate_must_be_allowed_to_sign() {
    let root = TestCa::root("root");
    let mut no_ca = authority("intermediate");
    no_ca.is_ca = IsCa::ExplicitNoCa;
    let mut no_sign = authority("intermediate");
    no_sign.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let mut expired = authority("intermediate");
    expired.not_after = date_time_ymd(2026, 6, 10);
    let mut odd = authority("intermediate");
    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    unknown.set_criticality(true);
    odd.custom_extensions.push(unknown);
    for params in [no_ca, no_sign, expired, odd] {
        let intermediate = root.intermediate(params);
        let outcome = verify(vec![intermediate.sign(&workload()), intermediate.der()], &root.bundles("td"));
        assert!(matches!(outcome, Err(X509Error::Chain(_))), "{outcome:?}");
    }
}

#[test]
fn xsv_17_path_length_counts_for_intermediates_and_for_the_anchor() {
    let constrained = |name: &str, length| {
        let mut params = authority(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
        params
    };
    let outcome = |root: &TestCa, upper: CertificateParams| {
        let upper = root.intermediate(upper);
        let lower = upper.intermediate(authority("lower"));
        verify(vec![lower.sign(&workload()), lower.der(), upper.der()], &root.bundles("td"))
    };
    assert!(outcome(&TestCa::root("root"), constrained("upper", 1)).is_ok());
    assert!(outcome(&TestCa::root("root"), constrained("upper", 0)).is_err());
    assert!(outcome(&TestCa::of(constrained("root", 2)), authority("upper")).is_ok());
    let error = chain_error(outcome(&TestCa::of(constrained("root", 1)), authority("upper")));
    assert_eq!(error, webpki::Error::PathLenConstraintViolated);
}

#[test]
fn xsv_17_unknown_critical_extension_is_refused_in_leaf_and_anchor() {
    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    let mut params = workload();
    params.custom_extensions.push(unknown.clone());
    assert!(present(&params).is_ok());
    unknown.set_criticality(true);
    params.custom_extensions = vec![unknown.clone()];
    assert!(matches!(present(&params), Err(X509Error::Certificate(CertificateError::Unusable(_)))));
    let mut params = authority("root");
    params.custom_extensions.push(unknown);
    let root = TestCa::of(params);
    let outcome = verify(vec![root.sign(&workload())], &root.bundles("td"));
    assert!(matches!(outcome, Err(X509Error::NoAuthority(_))));
}

#[test]
fn xsv_17_anchor_that_may_not_sign_or_is_not_valid_does_not_anchor() {
    let mut expired = authority("root");
    expired.not_after = date_time_ymd(2026, 6, 10);
    let mut future = authority("root");
    future.not_before = date_time_ymd(2026, 6, 20);
    let mut no_sign = authority("root");
    no_sign.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let mut no_ca = authority("root");
    no_ca.is_ca = IsCa::ExplicitNoCa;
    let mut no_constraints = authority("root");
    no_constraints.is_ca = IsCa::NoCa;
    for params in [expired, future, no_sign, no_ca, no_constraints] {
        let root = TestCa::of(params);
        let outcome = verify(vec![root.sign(&workload())], &root.bundles("td"));
        assert!(matches!(outcome, Err(X509Error::NoAuthority(_))), "{outcome:?}");
        // Beside a good authority it changes nothing.
        let good = TestCa::root("good");
        let both = bundles("td", [root.x509_authority(), good.x509_authority()]);
        assert!(matches!(verify(vec![root.sign(&workload())], &both), Err(X509Error::Chain(_))));
        assert!(verify(vec![good.sign(&workload())], &both).is_ok());
    }
}

#[test]
fn self_signed_leaf_does_not_anchor_itself() {
    let key = KeyPair::generate().unwrap();
    let der = workload().self_signed(&key).unwrap().der().clone();
    let own = X509Authority::parse_der(der.to_vec()).unwrap();
    assert!(matches!(verify(vec![der], &bundles("td", [own])), Err(X509Error::NoAuthority(_))));
}

#[test]
fn xsv_18_uri_name_of_another_scheme_is_refused() {
    for name in ["https://td/workload", "urn:td:workload", "spiffe:/td/a", "SPIFFE://td/workload"] {
        let outcome = present(&leaf(vec![uri(name)]));
        assert!(matches!(outcome, Err(X509Error::SpiffeId(SpiffeIdError::Scheme(_)))), "{name}");
    }
}

#[test]
fn sid_14_id_of_2048_bytes_is_accepted_in_a_certificate() {
    let longest = format!("spiffe://td/{}", "a".repeat(2048 - 12));
    assert!(present(&leaf(vec![uri(&longest)])).is_ok());
    let outcome = present(&leaf(vec![uri(&format!("{longest}a"))]));
    assert!(matches!(outcome, Err(X509Error::SpiffeId(SpiffeIdError::TooLong(2049)))));
}

#[test]
fn sid_21_id_and_key_are_inside_the_signed_part() {
    let root = TestCa::root("root");
    let der = root.sign(&workload());
    let position = der.windows(ID.len()).position(|window| window == ID.as_bytes()).unwrap();
    let mut altered = der.to_vec();
    altered[position + ID.len() - 1] = b'x';
    let outcome = verify(vec![altered.into()], &root.bundles("td"));
    assert_eq!(chain_error(outcome).to_string(), "InvalidSignatureForPublicKey");
}

#[test]
fn xsv_19_sid_22_authority_of_another_trust_domain_does_not_count() {
    let (root_a, root_b) = (TestCa::root("a"), TestCa::root("b"));
    let mut both = root_a.bundles("a");
    both.insert(root_b.bundles("b").bundle(&td("b")).unwrap().clone());
    let of_b = leaf(vec![uri("spiffe://b/workload")]);
    assert!(verify(vec![root_b.sign(&of_b)], &both).is_ok());
    assert!(matches!(verify(vec![root_a.sign(&of_b)], &both), Err(X509Error::Chain(_))));
    assert!(matches!(verify(vec![root_b.sign(&of_b)], &root_b.bundles("a")), Err(X509Error::NoBundle(_))));
}

#[test]
fn tdb_08_empty_bundle_makes_every_svid_invalid() {
    let root = TestCa::root("root");
    let outcome = verify(vec![root.sign(&workload())], &bundles("td", []));
    assert!(matches!(outcome, Err(X509Error::NoAuthority(_))));
    assert!(matches!(
        verify(vec![root.sign(&workload())], &BundleSet::default()),
        Err(X509Error::NoBundle(_))
    ));
}

#[test]
fn tainted_authority_still_verifies_what_it_has_signed() {
    let root = TestCa::root("root");
    let tainted = bundles("td", [root.x509_authority().tainted(true)]);
    assert!(verify(vec![root.sign(&workload())], &tainted).is_ok());
}

#[test]
fn chain_has_at_most_16_certificates() {
    let root = TestCa::root("root");
    let chain = |length: usize| {
        let mut chain = vec![root.sign(&workload())];
        chain.resize(length, root.der());
        chain
    };
    assert!(verify(chain(16), &root.bundles("td")).is_ok());
    assert!(matches!(X509Svid::from_chain(chain(17)), Err(X509Error::ChainTooLong(17))));
    assert!(matches!(X509Svid::from_chain(vec![]), Err(X509Error::NoCertificates)));
}

#[test]
fn der_and_pem_are_read_and_written_alike() {
    let root = TestCa::root("root");
    let intermediate = root.intermediate(authority("intermediate"));
    let svid = X509Svid::from_chain(vec![intermediate.sign(&workload()), intermediate.der()]).unwrap();
    assert_eq!(X509Svid::parse_der(&svid.chain_der()).unwrap(), svid);
    assert_eq!(X509Svid::parse_pem(svid.to_pem().as_bytes()).unwrap(), svid);
    assert_eq!(svid.to_pem().matches("-----BEGIN CERTIFICATE-----\n").count(), 2);
    assert_eq!(svid.leaf(), &svid.chain()[0]);
    assert_eq!(format!("{svid:?}"), format!("X509Svid({ID}, serial {})", svid.serial_number()));
}

#[test]
fn bad_der_and_pem_are_refused() {
    let good = TestCa::root("root").sign(&workload()).to_vec();
    let trailing = [&good[..], &[0][..]].concat();
    let doubled_length = [&[0x30, 0x83, 0x00], &good[1..]].concat();
    for der in [
        &[][..],
        &[0],
        &[0x30, 0],
        &good[..good.len() - 1],
        &good[1..],
        &trailing,
        &doubled_length,
        &[0x30, 0x80],
    ] {
        assert!(X509Svid::parse_der(der).is_err());
    }
    for text in [
        "",
        "x",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ] {
        assert!(X509Svid::parse_pem(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn malformed_extension_of_a_leaf_is_refused() {
    let mut params = workload();
    params.is_ca = IsCa::NoCa;
    for content in [vec![], vec![0x30, 1], vec![0x30, 3, 1, 1, 1], vec![0x30, 0, 0]] {
        params.custom_extensions =
            vec![CustomExtension::from_oid_content(BASIC_CONSTRAINTS, content.clone())];
        let outcome = present(&params);
        assert!(matches!(outcome, Err(X509Error::Certificate(_))), "{content:?}");
    }
}

#[test]
fn serial_number_is_decimal() {
    for (bytes, decimal) in [
        (&[1][..], "1"),
        (&[0x7f], "127"),
        (&[0x3b, 0x9a, 0xca, 0x00], "1000000000"),
        (&[1, 0, 0, 0, 0, 0, 0, 0, 0], "18446744073709551616"),
        (
            &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            "170141183460469231731687303715884105727",
        ),
        (&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "170141183460469231731687303715884105728"),
    ] {
        let mut params = workload();
        params.serial_number = Some(SerialNumber::from_slice(bytes));
        assert_eq!(present(&params).unwrap().serial_number(), decimal);
    }
}

#[test]
fn credential_needs_the_key_of_its_leaf() {
    let key = KeyPair::generate().unwrap();
    let svid = X509Svid::from_chain(vec![TestCa::root("root").sign_key(&workload(), &key)]).unwrap();
    let own = PrivateKey::from_pkcs8_der(key.serialized_der()).unwrap();
    let credential = X509Credential::new(svid.clone(), own, "h".into()).unwrap();
    assert_eq!((credential.svid(), credential.hint()), (&svid, "h"));
    assert_eq!(credential.key().public_key(), svid.public_key());
    let other = PrivateKey::generate(crate::KeyKind::EcP256).unwrap();
    assert!(matches!(X509Credential::new(svid, other, String::new()), Err(X509Error::KeyMismatch(_))));
}

#[test]
fn authority_is_named_by_its_subject_key_id() {
    let mut params = authority("root");
    params.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![0xab; 20]);
    assert_eq!(TestCa::of(params).x509_authority().subject_key_id_hex(), "ab".repeat(20));
}

#[test]
fn errors_name_the_cause_in_their_source() {
    let outcome = present(&leaf(vec![uri("spiffe://td/a b")])).unwrap_err();
    assert_eq!(outcome.to_string(), "x509-svid leaf has a malformed spiffe id");
    assert!(outcome.source().unwrap().to_string().starts_with("path has ` ` in it"));
}

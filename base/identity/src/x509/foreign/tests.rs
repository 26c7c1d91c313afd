//! What a foreign chain says, and where it may lead.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, SanType, date_time_ymd};

use super::*;
use crate::testing::{TestCa, authority, leaf, now, uri};

fn chain(ca: &TestCa, params: &CertificateParams) -> ForeignChain {
    ForeignChain::from_chain(vec![ca.sign(params)]).unwrap()
}

#[test]
fn leaf_is_read() {
    let mut params = leaf(vec![
        uri("x509pop://example.org/rack/7"),
        SanType::IpAddress("10.0.0.7".parse().unwrap()),
        SanType::IpAddress("fd00::7".parse().unwrap()),
    ]);
    params.distinguished_name.push(DnType::CommonName, "n\u{f6}de 7");
    params.serial_number = Some(vec![0x0a, 0x1b, 0x2c].into());
    let chain = chain(&TestCa::root("root"), &params);
    assert_eq!(chain.common_name(), Some("n\u{f6}de 7"));
    assert_eq!(chain.serial_number_hex(), "0a1b2c");
    assert_eq!(chain.uri_names(), ["x509pop://example.org/rack/7"]);
    assert_eq!(chain.ip_names(), ["10.0.0.7".parse::<IpAddr>().unwrap(), "fd00::7".parse().unwrap()]);
    assert!(chain.has_digital_signature());
    assert_eq!(chain.largest_rsa_key(), 0);
}

#[test]
fn names_of_the_web_are_read() {
    let names = ["web.test", "*.apps.test"].map(|name| SanType::DnsName(name.try_into().unwrap()));
    let mut params = leaf(names.to_vec());
    params.distinguished_name.push(DnType::CommonName, "web");
    params.distinguished_name.push(DnType::OrganizationalUnitName, "payments");
    let chain = chain(&TestCa::root("root"), &params);
    assert_eq!(chain.dns_names(), ["web.test", "*.apps.test"]);
    assert_eq!(chain.organizational_units(), ["payments"]);
    assert!(chain.subject().contains("CN=web"), "{}", chain.subject());
    for (name, is_for) in
        [("web.test", true), ("a.apps.test", true), ("a.b.apps.test", false), ("web", false)]
    {
        assert_eq!(chain.is_for(&ServerName::try_from(name).unwrap()), is_for, "{name}");
    }
}

#[test]
fn chain_is_verified_for_the_role_that_its_leaf_may_play() {
    let root = TestCa::root("root");
    for (usage, role, permitted) in [
        (None, Role::Client, true),
        (None, Role::Server, true),
        (Some(ExtendedKeyUsagePurpose::ClientAuth), Role::Client, true),
        (Some(ExtendedKeyUsagePurpose::ClientAuth), Role::Server, false),
        (Some(ExtendedKeyUsagePurpose::ServerAuth), Role::Client, false),
    ] {
        let mut params = leaf(vec![]);
        params.extended_key_usages = usage.into_iter().collect();
        let verified = chain(&root, &params).verify_for(
            role,
            &[root.x509_authority()],
            &RevocationLists::default(),
            now(),
        );
        assert_eq!(verified.is_ok(), permitted, "{role:?} {params:?}");
        let others = [TestCa::root("root").x509_authority()];
        assert!(chain(&root, &params).verify_for(role, &others, &RevocationLists::default(), now()).is_err());
    }
}

#[test]
fn path_names_each_certificate_above_the_leaf() {
    let root = TestCa::root("root");
    let middle = root.intermediate(authority("middle"));
    let unrelated = TestCa::root("unrelated");
    let presented = vec![middle.sign(&leaf(vec![])), unrelated.der(), middle.der()];
    let chain = ForeignChain::from_chain(presented).unwrap();
    let path = chain.verify(&[unrelated.x509_authority(), root.x509_authority()], now()).unwrap();
    assert_eq!(path, [fingerprint(&middle.der()), fingerprint(&root.der())]);
}

#[test]
fn any_extended_key_usage_will_do() {
    let root = TestCa::root("root");
    for usages in [vec![], vec![ExtendedKeyUsagePurpose::CodeSigning]] {
        let mut params = leaf(vec![]);
        params.extended_key_usages = usages;
        chain(&root, &params).verify(&[root.x509_authority()], now()).unwrap();
    }
}

#[test]
fn chain_that_leads_elsewhere_is_refused() {
    let (root, other) = (TestCa::root("root"), TestCa::root("root"));
    let chain = chain(&root, &leaf(vec![]));
    let year = Duration::from_secs(365 * 86_400);
    for (authorities, at) in [
        (vec![], now()),
        (vec![other.x509_authority()], now()),
        (vec![root.x509_authority()], now() + year),
        (vec![root.x509_authority()], now() - year),
    ] {
        assert!(chain.verify(&authorities, at).is_err());
    }
}

#[test]
fn authority_is_no_leaf() {
    let root = TestCa::root("root");
    let chain = chain(&root, &authority("middle"));
    assert!(chain.verify(&[root.x509_authority()], now()).is_err());
}

#[test]
fn chain_is_bounded_and_whole() {
    let root = TestCa::root("root");
    assert!(matches!(ForeignChain::from_chain(vec![]), Err(ForeignChainError::Empty)));
    let long = ForeignChain::from_chain(vec![root.der(); 17]);
    assert!(matches!(long, Err(ForeignChainError::TooLong(17))));
    let garbage = ForeignChain::from_chain(vec![root.der(), vec![0x30, 0x03].into()]);
    assert!(matches!(garbage, Err(ForeignChainError::Certificate(_))));
}

#[test]
fn leaf_out_of_its_time_is_told_so() {
    let mut root = authority("root");
    (root.not_before, root.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2030, 1, 1));
    let root = TestCa::of(root);
    let chain = chain(&root, &leaf(vec![]));
    let month = Duration::from_secs(31 * 86_400);
    let refused = |at| chain.verify(&[root.x509_authority()], at).unwrap_err();
    assert!(matches!(refused(now() + month), ForeignChainError::Expired));
    assert!(matches!(refused(now() - month), ForeignChainError::NotYetValid));
}

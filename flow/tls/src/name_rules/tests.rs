//! Each rule alone, and what it must not permit.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::ForeignChain;
use finial_receive::testing::{Authority, start};
use rcgen::{DnType, SanType};

use super::NameRules;
use crate::UriPatterns;

/// A certificate with a name of each kind.
fn web() -> ForeignChain {
    let (chain, _) = Authority::new("example.org").leaf("spiffe://example.org/web", start(), |params| {
        params.distinguished_name.push(DnType::CommonName, "web");
        params.distinguished_name.push(DnType::OrganizationalUnitName, "payments");
        params.subject_alt_names.push(SanType::DnsName("web.test".try_into().unwrap()));
        params.subject_alt_names.push(SanType::DnsName("*.apps.test".try_into().unwrap()));
        params.subject_alt_names.push(SanType::IpAddress("10.0.0.7".parse().unwrap()));
    });
    ForeignChain::from_chain(chain).unwrap()
}

fn texts(text: &str) -> std::collections::BTreeSet<String> {
    [text.to_owned()].into()
}

fn rules(kind: &str, value: &str) -> NameRules {
    let none = NameRules::default();
    match kind {
        "cn" => NameRules { common_names: texts(value), ..none },
        "ou" => NameRules { organizational_units: texts(value), ..none },
        "dns" => NameRules { dns_names: texts(value), ..none },
        "ip" => NameRules { ip_names: [value.parse().unwrap()].into(), ..none },
        _ => NameRules { uris: Some(UriPatterns::parse([value]).unwrap()), ..none },
    }
}

#[test]
fn a_rule_permits_names_of_its_own_kind_only() {
    for (kind, value, permitted) in [
        ("cn", "web", true),
        ("cn", "Web", false),
        ("cn", "we", false),
        ("cn", "payments", false),
        ("cn", "web.test", false),
        ("ou", "payments", true),
        ("ou", "web", false),
        ("dns", "web.test", true),
        ("dns", "*.apps.test", true),
        ("dns", "a.apps.test", false),
        ("dns", "test", false),
        ("dns", "web", false),
        ("ip", "10.0.0.7", true),
        ("ip", "10.0.0.8", false),
        ("ip", "::ffff:10.0.0.7", false),
        ("uri", "spiffe://example.org/web", true),
        ("uri", "spiffe://*/web", true),
        ("uri", "spiffe://example.org/*", true),
        ("uri", "spiffe://example.org/web/*", false),
        ("uri", "web.test", false),
    ] {
        assert_eq!(rules(kind, value).permit(&web()), permitted, "{kind} {value}");
    }
}

#[test]
fn any_of_several_rules_permits() {
    let both = NameRules { dns_names: texts("nobody.test"), ..rules("cn", "web") };
    assert!(both.permit(&web()));
}

#[test]
fn no_rule_permits_nobody() {
    assert!(NameRules::default().is_empty());
    assert!(!NameRules::default().permit(&web()));
    assert!(!rules("ip", "::1").is_empty());
}

#[test]
fn anyone_is_permitted_only_when_it_is_said() {
    let anyone = NameRules { anyone: true, ..NameRules::default() };
    assert!(anyone.permit(&web()) && !anyone.is_empty());
}

//! The profile of authorities and SVIDs, row by row of the X.509-SVID standard.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use der::{Decode, Encode};
use finial_identity::{Bundle, BundleSet, CLOCK_SKEW, KeyKind, PrivateKey, Role, TrustDomain, X509Authority};
use finial_keys::{KeyManager, MemoryKeys};
use x509_cert::Certificate;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};

use super::*;
use crate::testing::START;

struct Ca {
    signer: X509Signer,
    certificate: Vec<u8>,
    now: SystemTime,
}

const CA_TTL: Duration = Duration::from_hours(24);

async fn ca(kind: KeyKind) -> Ca {
    let now = SystemTime::UNIX_EPOCH + START;
    let key = MemoryKeys::new().generate("x509-CA-A", kind).await.unwrap();
    let id = TrustDomain::parse("example.org").unwrap().id();
    let certificate = self_signed(&*key, &id, &CaSubject::default(), now, now + CA_TTL).await.unwrap();
    Ca { signer: X509Signer::new(key, &certificate, now - BACKDATE..now + CA_TTL).unwrap(), certificate, now }
}

async fn svid(ca: &Ca, dns_names: &[&str]) -> X509Svid {
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    issue(ca, "spiffe://example.org/web", dns_names, CA_TTL / 24, key.public_key()).await.unwrap()
}

async fn issue(
    ca: &Ca,
    id: &str,
    dns_names: &[&str],
    ttl: Duration,
    key: &PublicKey,
) -> Result<X509Svid, IssueError> {
    let dns_names: Vec<_> = dns_names.iter().map(|&name| name.to_owned()).collect();
    let request = X509Request { id: &id.parse().unwrap(), dns_names: &dns_names, subject: None, ttl };
    ca.signer.issue(&request, key, ca.now).await
}

fn bundles(ca: &Ca) -> BundleSet {
    let mut bundle = Bundle::empty(TrustDomain::parse("example.org").unwrap());
    bundle.x509_authorities.push(X509Authority::parse_der(ca.certificate.clone()).unwrap());
    std::iter::once(Arc::new(bundle)).collect()
}

fn parse(der: &[u8]) -> Certificate {
    Certificate::from_der(der).unwrap()
}

/// An extension and whether it is critical; exactly one must be there.
fn extension<T: for<'a> Decode<'a, Error = der::Error>>(certificate: &Certificate, oid: &str) -> (bool, T) {
    let found: Vec<_> = certificate
        .tbs_certificate()
        .extensions()
        .unwrap()
        .iter()
        .filter(|extension| extension.extn_id.to_string() == oid)
        .collect();
    let [extension] = found[..] else { panic!("{} extensions {oid}", found.len()) };
    (extension.critical, T::from_der(extension.extn_value.as_bytes()).unwrap())
}

const SKI: &str = "2.5.29.14";
const KU: &str = "2.5.29.15";
const SAN: &str = "2.5.29.17";
const BC: &str = "2.5.29.19";
const AKI: &str = "2.5.29.35";
const EKU: &str = "2.5.29.37";

fn uri_names(certificate: &Certificate) -> Vec<String> {
    let (_, names): (_, SubjectAltName) = extension(certificate, SAN);
    names
        .0
        .iter()
        .filter_map(|name| match name {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn xsv_01_svid_has_exactly_one_uri_name_and_it_is_the_granted_id() {
    let ca = ca(KeyKind::EcP256).await;
    let svid = svid(&ca, &["web.example.org", "www.example.org"]).await;
    assert_eq!(uri_names(&parse(svid.leaf())), ["spiffe://example.org/web"]);
}

#[tokio::test]
async fn dns_names_are_subject_alternative_names_and_the_first_is_the_common_name() {
    let ca = ca(KeyKind::EcP256).await;
    let svid = svid(&ca, &["web.example.org", "www.example.org"]).await;
    let certificate = parse(svid.leaf());
    let (_, names): (_, SubjectAltName) = extension(&certificate, SAN);
    let dns: Vec<_> = names
        .0
        .iter()
        .filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(dns, ["web.example.org", "www.example.org"]);
    assert_eq!(certificate.tbs_certificate().subject().to_string(), "CN=web.example.org,O=SPIRE,C=US");
}

#[tokio::test]
async fn xsv_06_subject_is_never_empty_so_names_are_not_critical() {
    let ca = ca(KeyKind::EcP256).await;
    let certificate = parse(svid(&ca, &[]).await.leaf());
    assert_eq!(certificate.tbs_certificate().subject().to_string(), "O=SPIRE,C=US");
    assert!(!extension::<SubjectAltName>(&certificate, SAN).0);
}

#[tokio::test]
async fn xsv_07_authority_has_ca_and_signs_certificates_and_revocation_lists_only() {
    let certificate = parse(&ca(KeyKind::EcP256).await.certificate);
    let (critical, constraints): (_, BasicConstraints) = extension(&certificate, BC);
    assert!(critical && constraints.ca);
    assert_eq!(constraints.path_len_constraint, None);
    let (critical, usage): (_, KeyUsage) = extension(&certificate, KU);
    assert!(critical);
    assert_eq!(usage.0, KeyUsages::KeyCertSign | KeyUsages::CRLSign);
}

#[tokio::test]
async fn sid_19_sid_20_xsv_08_authority_carries_the_trust_domain_id_without_a_path() {
    let certificate = parse(&ca(KeyKind::EcP256).await.certificate);
    assert_eq!(uri_names(&certificate), ["spiffe://example.org"]);
}

#[tokio::test]
async fn authority_is_named_by_its_serial_number_and_signs_itself() {
    let ca = ca(KeyKind::EcP256).await;
    let certificate = parse(&ca.certificate);
    let tbs = certificate.tbs_certificate();
    assert_eq!(tbs.subject().to_der().unwrap(), tbs.issuer().to_der().unwrap());
    let serial = tbs.serial_number().as_bytes().iter().fold(0_u128, |sum, &byte| sum << 8 | u128::from(byte));
    assert!(tbs.subject().to_string().to_lowercase().contains(&format!("serialnumber={serial}")));
    let (_, ski): (_, SubjectKeyIdentifier) = extension(&certificate, SKI);
    assert_eq!(hex::encode(ski.0.as_bytes()), ca.signer.id());
}

#[tokio::test]
async fn configured_subject_names_the_authority() {
    let key = MemoryKeys::new().generate("x509-CA-A", KeyKind::EcP256).await.unwrap();
    let id = TrustDomain::parse("example.org").unwrap().id();
    let subject = CaSubject {
        country: vec!["CH".into()],
        organization: vec!["Zwölf".into(), "Acme".into()],
        common_name: "Root".into(),
    };
    let now = SystemTime::UNIX_EPOCH + START;
    let certificate = parse(&self_signed(&*key, &id, &subject, now, now + CA_TTL).await.unwrap());
    let name = certificate.tbs_certificate().subject().to_string();
    assert!(name.contains("CN=Root,") && name.contains("C=CH") && name.contains("O=Acme"), "{name}");
}

#[tokio::test]
async fn xsv_10_svid_says_that_it_is_no_authority() {
    let ca = ca(KeyKind::EcP256).await;
    let (critical, constraints): (_, BasicConstraints) = extension(&parse(svid(&ca, &[]).await.leaf()), BC);
    assert!(critical && !constraints.ca);
}

#[tokio::test]
async fn xsv_12_xsv_13_key_usage_is_critical_and_has_digital_signature_but_no_signing_of_certificates() {
    let ca = ca(KeyKind::EcP256).await;
    let (critical, usage): (_, KeyUsage) = extension(&parse(svid(&ca, &[]).await.leaf()), KU);
    assert!(critical);
    assert_eq!(usage.0, KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment | KeyUsages::KeyAgreement);
}

#[tokio::test]
async fn ed25519_svid_has_digital_signature_alone() {
    let ca = ca(KeyKind::EcP256).await;
    // RFC 8410 §10.1, with another key.
    let spki =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &[7; 32]].concat();
    let key = PublicKey::from_spki_der(&spki).unwrap();
    let svid = issue(&ca, "spiffe://example.org/web", &[], CA_TTL, &key).await.unwrap();
    let (_, usage): (_, KeyUsage) = extension(&parse(svid.leaf()), KU);
    assert!(usage.0 == KeyUsages::DigitalSignature, "{:?}", usage.0);
}

#[tokio::test]
async fn xsv_15_extended_key_usage_is_server_and_client() {
    let ca = ca(KeyKind::EcP256).await;
    let (_, usage): (_, ExtendedKeyUsage) = extension(&parse(svid(&ca, &[]).await.leaf()), EKU);
    let oids: Vec<_> = usage.0.iter().map(ToString::to_string).collect();
    assert_eq!(oids, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
}

#[tokio::test]
async fn key_identifiers_tie_the_svid_to_its_authority() {
    let ca = ca(KeyKind::EcP256).await;
    let svid = svid(&ca, &[]).await;
    let certificate = parse(svid.leaf());
    let (_, ski): (_, SubjectKeyIdentifier) = extension(&certificate, SKI);
    let (_, aki): (_, AuthorityKeyIdentifier) = extension(&certificate, AKI);
    assert_eq!(ski.0.as_bytes(), svid.public_key().subject_key_id());
    assert_eq!(hex::encode(aki.key_identifier.unwrap().as_bytes()), ca.signer.id());
    assert_eq!(
        certificate.tbs_certificate().issuer().to_der().unwrap(),
        parse(&ca.certificate).tbs_certificate().subject().to_der().unwrap()
    );
}

#[tokio::test]
async fn sid_21_id_and_key_are_inside_the_signed_part() {
    let ca = ca(KeyKind::EcP256).await;
    let svid = svid(&ca, &[]).await;
    let mut forged = svid.leaf().to_vec();
    let id = b"spiffe://example.org/web";
    let at = forged.windows(id.len()).position(|window| window == id).unwrap();
    forged[at + id.len() - 1] = b'x';
    let forged = X509Svid::from_chain(vec![CertificateDer::from(forged)]).unwrap();
    assert!(svid.verify(&bundles(&ca), ca.now, Role::Server).is_ok());
    assert!(forged.verify(&bundles(&ca), ca.now, Role::Server).is_err());
}

#[tokio::test]
async fn svid_verifies_in_both_roles_under_authorities_of_every_kind() {
    for kind in [KeyKind::EcP256, KeyKind::EcP384, KeyKind::Rsa { bits: 2048 }, KeyKind::Rsa { bits: 4096 }] {
        let ca = ca(kind).await;
        let svid = svid(&ca, &["web.example.org"]).await;
        for role in [Role::Client, Role::Server] {
            let verified = svid.verify(&bundles(&ca), ca.now, role).unwrap();
            assert_eq!(verified.id().as_str(), "spiffe://example.org/web");
        }
    }
}

#[tokio::test]
async fn sid_14_sid_15_id_of_2048_bytes_fits() {
    let ca = ca(KeyKind::EcP256).await;
    let id = format!("spiffe://example.org/{}", "a".repeat(2048 - "spiffe://example.org/".len()));
    let key = PrivateKey::generate(KeyKind::EcP384).unwrap();
    let svid = issue(&ca, &id, &[], CA_TTL, key.public_key()).await.unwrap();
    assert_eq!(svid.id().as_str(), id);
    assert!(svid.verify(&bundles(&ca), ca.now, Role::Client).is_ok());
}

#[tokio::test]
async fn validity_begins_a_minute_back_and_ends_with_the_ttl() {
    let ca = ca(KeyKind::EcP256).await;
    let svid = svid(&ca, &[]).await;
    assert_eq!(svid.not_before(), ca.now - Duration::from_mins(1));
    assert_eq!(svid.not_after(), ca.now + CA_TTL / 24);
}

#[tokio::test]
async fn svid_never_starts_before_its_authority() {
    let mut ca = ca(KeyKind::EcP256).await;
    let authority = X509Authority::parse_der(ca.certificate.clone()).unwrap();
    ca.now -= CLOCK_SKEW;
    assert_eq!(svid(&ca, &[]).await.not_before(), authority.not_before());
}

#[tokio::test]
async fn svid_never_outlives_its_authority() {
    let ca = ca(KeyKind::EcP256).await;
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let svid = issue(&ca, "spiffe://example.org/web", &[], CA_TTL * 2, key.public_key()).await.unwrap();
    assert_eq!(svid.not_after(), ca.now + CA_TTL);
}

#[tokio::test]
async fn authority_near_its_end_signs_nothing_and_is_named() {
    let mut ca = ca(KeyKind::EcP256).await;
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    for (left, ttl, signs) in [(10, 3600, true), (9, 3600, false), (5, 5, true), (4, 5, false), (0, 1, false)]
    {
        ca.now = SystemTime::UNIX_EPOCH + START + CA_TTL - Duration::from_secs(left);
        let ttl = Duration::from_secs(ttl);
        let issued = issue(&ca, "spiffe://example.org/web", &[], ttl, key.public_key()).await;
        assert_eq!(issued.is_ok(), signs, "{left} s left for {ttl:?}");
        if let Err(error) = issued {
            assert!(error.to_string().contains(ca.signer.id()), "{error}");
        }
    }
}

#[tokio::test]
async fn serial_numbers_are_positive_and_differ() {
    let ca = ca(KeyKind::EcP256).await;
    let mut serials = std::collections::HashSet::new();
    for _ in 0..50 {
        let svid = svid(&ca, &[]).await;
        assert!(!svid.serial_number().starts_with('-') && svid.serial_number() != "0");
        assert!(serials.insert(svid.serial_number().to_owned()));
    }
}

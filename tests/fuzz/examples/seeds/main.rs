//! Writes the authority of tests/fuzz/data and the seeds of fuzz/corpus anew: what each parser is meant to read, and
//! what is nearly that. Everything in them is new each time; nothing in them is a secret of anybody.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod messages;
mod others;

use std::fs;
use std::path::Path;

use anyhow::Result;
use der::{Decode, Encode};
use finial_identity::{
    Bundle, CertificateRequest, JwtAuthority, Keystore, PrivateKey, TrustDomain, X509Authority,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use rustls_pki_types::CertificateDer;

fn main() -> Result<()> {
    let key = KeyPair::generate()?;
    let authority = CertifiedIssuer::self_signed(authority("one"), &key)?;
    let leaf = leaf(&["spiffe://example.org/web"]).signed_by(&key, &authority)?;
    data("key.pk8", &key.serialize_der())?;
    data("authority.der", authority.der())?;
    data("leaf.der", leaf.der())?;
    certificates(&key, &authority, leaf.der())?;
    lists(&authority)?;
    requests(&key)?;
    tokens()?;
    let request = CertificateRequest::create(&PrivateKey::from_pkcs8_der(&key.serialize_der())?, None)?;
    messages::to_server(
        authority.der(),
        PrivateKey::from_pkcs8_der(&key.serialize_der())?.public_key().spki_der(),
        &request,
    )?;
    messages::to_agent()?;
    answers::of_agent(authority.der(), leaf.der(), &key.serialize_der())?;
    answers::of_server(
        authority.der(),
        PrivateKey::from_pkcs8_der(&key.serialize_der())?.public_key().spki_der(),
        leaf.der(),
    )?;
    others::possessions(leaf.der())?;
    others::web(&authority.pem())?;
    others::folders()?;
    documents(&key, authority.der(), leaf.der())
}

fn data(name: &str, content: &[u8]) -> Result<()> {
    Ok(fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name), content)?)
}

fn seed(target: &str, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), content)?)
}

fn valid(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2036, 1, 1);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "SPIRE");
    params.subject_alt_names = names.iter().map(|name| SanType::URI((*name).try_into().unwrap())).collect();
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = valid(&["spiffe://example.org"]);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(names: &[&str]) -> CertificateParams {
    let mut params = valid(names);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

/// What is signed of a certificate, which the target signs with the same key.
fn content(certificate: &CertificateDer<'_>) -> Vec<u8> {
    x509_cert::Certificate::from_der(certificate).unwrap().tbs_certificate().to_der().unwrap()
}

fn certificates(
    key: &KeyPair,
    authority: &CertifiedIssuer<'_, &KeyPair>,
    good: &CertificateDer<'static>,
) -> Result<()> {
    let sign =
        |params: CertificateParams| -> Result<_> { Ok(params.signed_by(key, authority)?.der().clone()) };
    let id = "spiffe://example.org/web";
    let mut odd = leaf(&[id]);
    odd.subject_alt_names.push(SanType::DnsName("web.example.org".try_into()?));
    odd.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    odd.custom_extensions =
        vec![rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999], vec![5, 0])];
    let mut ca = leaf(&[id]);
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let mut signing = leaf(&[id]);
    signing.key_usages.push(KeyUsagePurpose::KeyCertSign);
    let mut old = leaf(&[id]);
    old.not_after = date_time_ymd(2027, 1, 1);
    let cases = [
        ("two-uris", leaf(&[id, "https://example.org"])),
        ("no-uri", leaf(&[])),
        ("no-path", leaf(&["spiffe://example.org"])),
        ("other-domain", leaf(&["spiffe://other.test/web"])),
        ("other-names", odd),
        ("ca", ca),
        ("signing", signing),
        ("expired", old),
    ];
    for (name, params) in cases {
        let certificate = sign(params)?;
        seed("certificate", &format!("signed-{name}"), content(&certificate))?;
    }
    seed("certificate", "good", good)?;
    seed("certificate", "signed-good", content(good))?;
    seed("certificate", "authority", authority.der())?;
    seed("certificate", "chain", [good.as_ref(), authority.der()].concat())
}

fn lists(authority: &CertifiedIssuer<'_, &KeyPair>) -> Result<()> {
    let revoked = |serial_number: u64| RevokedCertParams {
        serial_number: SerialNumber::from(serial_number),
        revocation_time: date_time_ymd(2029, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    for (name, revoked_certs) in [("empty", vec![]), ("two", vec![revoked(1), revoked(2)])] {
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2029, 1, 1),
            next_update: date_time_ymd(2031, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(authority)?;
        let signed = x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(list.der());
        seed("revocation_list", name, list.der())?;
        seed("revocation_list", &format!("{name}-pem"), list.pem()?)?;
        seed("revocation_list", &format!("signed-{name}"), signed?.tbs_cert_list.to_der()?)?;
    }
    Ok(())
}

fn requests(key: &KeyPair) -> Result<()> {
    let private = PrivateKey::from_pkcs8_der(&key.serialize_der())?;
    let id = "spiffe://example.org/web".parse()?;
    let mut several = valid(&["spiffe://example.org/web", "spiffe://example.org/db"]);
    several.subject_alt_names.push(SanType::DnsName("web.example.org".try_into()?));
    let requests = [
        ("plain", CertificateRequest::create(&private, None)?),
        ("with-id", CertificateRequest::create(&private, Some(&id))?),
        ("several-names", several.serialize_request(key)?.der().to_vec()),
    ];
    for (name, der) in requests {
        let info = x509_cert::request::CertReq::from_der(&der)?.info.to_der()?;
        seed("csr", name, der)?;
        seed("csr", &format!("signed-{name}"), info)?;
    }
    Ok(())
}

fn tokens() -> Result<()> {
    let header = r#"{"alg":"ES256","kid":"key-1","typ":"JWT"}"#;
    let good = r#"{"sub":"spiffe://example.org/web","aud":["db"],"exp":1893459600,"iat":1893456000}"#;
    let cases = [
        ("good", header, good),
        ("no-kid", r#"{"alg":"ES256"}"#, good),
        ("alg-none", r#"{"alg":"none"}"#, good),
        ("crit", r#"{"alg":"ES256","kid":"key-1","crit":["exp"]}"#, good),
        ("jwk", r#"{"alg":"ES256","kid":"key-1","jwk":{"kty":"EC"}}"#, good),
        ("no-exp", header, r#"{"sub":"spiffe://example.org/web","aud":["db"]}"#),
        ("text-exp", header, r#"{"sub":"spiffe://example.org/web","aud":"db","exp":"1893459600"}"#),
        (
            "later",
            header,
            r#"{"sub":"spiffe://example.org/web","aud":"db","exp":1893459600,"nbf":1893458000}"#,
        ),
        (
            "twice",
            header,
            r#"{"sub":"spiffe://example.org/web","sub":"spiffe://example.org/db","aud":"db","exp":1893459600}"#,
        ),
        ("other-domain", header, r#"{"sub":"spiffe://other.test/web","aud":"db","exp":1893459600}"#),
        (
            "deep",
            header,
            r#"{"sub":"spiffe://example.org/web","aud":"db","exp":1893459600,"x":[[[{"y":[1.5e300,-0,"é"]}]]]}"#,
        ),
    ];
    for (name, header, payload) in cases {
        seed("jwt", name, format!("{header}\n{payload}"))?;
    }
    seed(
        "jwt",
        "token",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtleS0xIiwidHlwIjoiSldUIn0.eyJhdWQiOlsiZGIiXSwiZXhwIjoxNzkwMDAwMDAwLCJzdWIiOiJzcGlmZmU6Ly9leGFtcGxlLm9yZy93ZWIifQ.AAAA",
    )
}

fn documents(key: &KeyPair, authority: &CertificateDer<'_>, leaf: &CertificateDer<'static>) -> Result<()> {
    let trust_domain = TrustDomain::parse("example.org")?;
    let private = PrivateKey::from_pkcs8_der(&key.serialize_der())?;
    let jwt = JwtAuthority {
        key_id: "key-1".to_owned(),
        public_key: private.public_key().clone(),
        expires_at: None,
        tainted: false,
    };
    let bundle = Bundle {
        x509_authorities: vec![X509Authority::parse_der(authority.to_vec())?],
        jwt_authorities: vec![jwt],
        sequence_number: 7,
        refresh_hint: Some(std::time::Duration::from_secs(300)),
        ..Bundle::empty(trust_domain)
    };
    let json = bundle.to_spiffe_json();
    seed("bundle", "spiffe", &json)?;
    seed("bundle", "jwks", bundle.to_jwks())?;
    seed("bundle", "pem", bundle.to_pem())?;
    seed("bundle", "der", bundle.x509_der())?;
    seed("bundle", "no-keys", r#"{"keys":[]}"#)?;
    seed(
        "bundle",
        "other-uses",
        r#"{"keys":[{"use":"wit-svid","kty":"AKP","kid":"a"},{"kty":"EC"},{"use":"x509-svid","kty":"EC","x5c":[]}],"spiffe_sequence":9223372036854775808}"#,
    )?;
    let store = Keystore { chain: vec![leaf.clone(), authority.clone().into_owned()], key: private };
    seed("keystore", "ours", store.seal("changeit")?)?;
    use base64::prelude::{BASE64_STANDARD, Engine};
    let encoded = BASE64_STANDARD.encode(key.serialize_der());
    seed(
        "keys_file",
        "two",
        format!(r#"{{"keys":{{"x509-CA-A":"{encoded}","JWT-Signer-A":"{encoded}"}}}}"#),
    )?;
    seed("keys_file", "none", r#"{"keys":{}}"#)?;
    seed(
        "keys_file",
        "digest",
        r#"{"keys":{},"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#,
    )?;
    seed("keys_file", "no-key", r#"{"keys":{"x509-CA-A":"AAAA"}}"#)?;
    seed("keys_file", "torn", format!(r#"{{"keys":{{"x509-CA-A":"{}"#, &encoded[..40]))?;
    let pem = |der: &CertificateDer<'_>| {
        BASE64_STANDARD.encode(finial_identity::certificates_to_pem([&der.clone().into_owned()]))
    };
    let (svid, root) = (pem(leaf), pem(authority));
    seed(
        "agent_data",
        "full",
        format!(r#"{{"svid":["{svid}"],"bundle":["{root}"],"reattestable":true,"other":[1]}}"#),
    )?;
    seed(
        "agent_data",
        "bundle",
        format!(r#"{{"svid":null,"bundle":["{root}","{root}"],"reattestable":false}}"#),
    )?;
    seed("agent_data", "empty", "{}")?;
    seed("agent_data", "no-pem", r#"{"svid":["AAAA"]}"#)?;
    seed("agent_data", "torn", format!(r#"{{"svid":["{}"#, &svid[..80]))
}

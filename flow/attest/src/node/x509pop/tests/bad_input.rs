//! What proves nothing, and how each of it is refused.

use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{KeyUsagePurpose, PublicKeyData, date_time_ymd};
use serde_json::{Value, json};

use super::*;

/// Refuses to be asked: what is presented must fail before the agent hears of it.
struct NeverAsked;

#[async_trait]
impl Dialogue for NeverAsked {
    async fn challenge(&mut self, _: Vec<u8>) -> Result<Vec<u8>, Status> {
        panic!("bad certificates are not challenged")
    }
}

fn payload(certificates: &[&[u8]]) -> Vec<u8> {
    let encoded: Vec<_> = certificates.iter().map(|der| BASE64_STANDARD.encode(der)).collect();
    serde_json::to_vec(&json!({ "certificates": encoded })).unwrap()
}

async fn refuse(pki: &Pki, config: X509PopConfig, payload: &[u8]) -> String {
    let attestors = NodeAttestors::new(trust_domain(), [pki.attestor(config).await]);
    let refused = attestors.attest(KIND, payload, None, &mut NeverAsked).await.unwrap_err();
    match &refused {
        AttestError::Evidence { problem } => format!("evidence: {problem}"),
        AttestError::Unproven { problem, source } => {
            format!("unproven: {problem}: {}", source.as_ref().map(ToString::to_string).unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

/// A key that no library makes.
struct Oversized {
    spki: Vec<u8>,
}

impl PublicKeyData for Oversized {
    fn der_bytes(&self) -> &[u8] {
        &self.spki
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

/// The bits of an RSAPublicKey with a modulus of this many bytes, and 65537.
fn rsa_key(bytes: usize) -> Oversized {
    let length = |length: usize| vec![0x82, (length >> 8) as u8, length as u8];
    let modulus = [vec![0x02], length(bytes + 1), vec![0], vec![0xff; bytes]].concat();
    let numbers = [modulus, vec![0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    Oversized { spki: [vec![0x30], length(numbers.len()), numbers].concat() }
}

#[tokio::test]
async fn bad_certificates_are_refused_before_any_challenge() {
    let (pki, foreign) = (Pki::new(), Pki::new());
    let key = Key::p256();
    let middle = pki.intermediate();
    let with = |spoil: &dyn Fn(&mut rcgen::CertificateParams)| {
        let mut params = node_certificate();
        spoil(&mut params);
        pki.sign(&params, &key)
    };
    let good = with(&|_| {});
    let expired = with(&|leaf| leaf.not_after = date_time_ymd(2027, 1, 14));
    let early = with(&|leaf| leaf.not_before = date_time_ymd(2027, 1, 16));
    let encipherment = with(&|leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyEncipherment]);
    let without_usage = with(&|leaf| leaf.key_usages = vec![]);
    let authority = with(&|leaf| leaf.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    let stranger = foreign.sign(&node_certificate(), &key);
    let oversized = node_certificate().signed_by(&rsa_key(2048), pki.issuer()).unwrap().der().clone();
    let more: Vec<_> = (0..5).map(|n| pki.sign_authority(&format!("middle {n}"))).collect();
    let six: Vec<&[u8]> = [&*good, &*middle].into_iter().chain(more.iter().map(|der| &**der)).collect();
    let table: [(&str, Vec<&[u8]>, &str); 13] = [
        ("none", vec![], "evidence: the certificates cannot be read: there is no certificate"),
        (
            "six intermediates",
            six,
            "evidence: 6 certificates beside the leaf are more than max_intermediates",
        ),
        ("garbage", vec![b"garbage"], "evidence: the certificates cannot be read"),
        ("empty", vec![b""], "evidence: the certificates cannot be read"),
        ("garbage above", vec![&good, b"garbage"], "evidence: the certificates cannot be read"),
        ("RSA 16384", vec![&oversized, &middle], "RSA of 16384 bits"),
        (
            "expired",
            vec![&expired, &middle],
            "unproven: certificate verification failed: the certificate, or one above it, has expired",
        ),
        (
            "not yet valid",
            vec![&early, &middle],
            "unproven: certificate verification failed: the certificate, or one above it, is not valid yet",
        ),
        ("key encipherment only", vec![&encipherment, &middle], "evidence: the certificate lacks key usage"),
        ("no key usage", vec![&without_usage, &middle], "evidence: the certificate lacks key usage"),
        ("an authority", vec![&authority, &middle], "unproven: certificate verification failed"),
        ("foreign", vec![&stranger, &middle], "unproven: certificate verification failed"),
        (
            "no path",
            vec![&good],
            "unproven: certificate verification failed: the certificate does not lead to a trusted authority",
        ),
    ];
    for (what, certificates, problem) in table {
        let refused = refuse(&pki, pki.config(), &payload(&certificates)).await;
        assert!(refused.contains(problem), "{what}: {refused}");
    }
}

#[tokio::test]
async fn bad_payloads_are_refused() {
    let pki = Pki::new();
    let mebibyte = format!("{{\"certificates\":[\"{}\"]}}", "A".repeat(1 << 20));
    let table: [(&[u8], &str); 8] = [
        (b"", "evidence: x509pop payload is not the JSON"),
        (b"{", "evidence: x509pop payload is not the JSON"),
        (b"{\"certificates\":null}", "evidence: x509pop payload is not the JSON"),
        (b"{\"certificates\":[\"*\"]}", "evidence: x509pop payload is not the JSON"),
        (b"{\"certificates\":[],\"certificates\":[]}", "evidence: x509pop payload is not the JSON"),
        (b"{\"certificates\":[]} x", "evidence: x509pop payload is not the JSON"),
        (&[0xff], "evidence: x509pop payload is not the JSON"),
        (mebibyte.as_bytes(), "at most 65536 are read"),
    ];
    for (payload, problem) in table {
        let refused = refuse(&pki, pki.config(), payload).await;
        assert!(refused.contains(problem), "{refused}");
    }
}

#[tokio::test]
async fn spire_1_14_2_limits_on_chains_and_keys_are_settings() {
    let pki = Pki::new();
    let leaf = pki.sign(&node_certificate(), &Key::rsa());
    let mut config = pki.config();
    config.max_rsa_key_size = 2047;
    let refused = refuse(&pki, config, &payload(&[&leaf, &pki.intermediate()])).await;
    assert!(refused.contains("2048 bits is more than max_rsa_key_size allows (2047)"), "{refused}");
    let mut config = pki.config();
    config.max_intermediates = 0;
    let refused = refuse(&pki, config, &payload(&[&leaf, &pki.intermediate()])).await;
    assert!(refused.contains("more than max_intermediates allows (0)"), "{refused}");
}

#[tokio::test]
async fn key_that_x509pop_does_not_take_is_refused() {
    let pki = Pki::new();
    let leaf = pki.sign(&node_certificate(), &Key::ed25519());
    let refused = refuse(&pki, pki.config(), &payload(&[&leaf, &pki.intermediate()])).await;
    assert!(refused.contains("Ed25519"), "{refused}");
}

/// Shows good certificates, and an answer that was tampered with.
async fn tampered(key: &Key, spoil: impl Fn(&mut Value) + Sync) -> Result<AttestedNode, AttestError> {
    let pki = Pki::new();
    let possession = possession(&pki, key);
    let attestors = NodeAttestors::new(trust_domain(), [pki.attestor(pki.config()).await]);
    let mut agent = Agent { possession: &possession, spoil: &spoil };
    attestors.attest(KIND, &possession.payload(), None, &mut agent).await
}

#[tokio::test]
async fn bad_answers_prove_nothing() {
    let bytes = |length: usize| json!(BASE64_STANDARD.encode(vec![7; length]));
    let (ecdsa, rsa) = ("/ecdsa_signature", "/rsa_signature");
    let table = [
        (ecdsa, "/nonce", bytes(31)),
        (ecdsa, "/nonce", bytes(33)),
        (ecdsa, "/nonce", bytes(0)),
        (ecdsa, "/nonce", bytes(32)),
        (ecdsa, "/r", bytes(32)),
        (ecdsa, "/s", bytes(32)),
        (ecdsa, "/r", bytes(0)),
        (ecdsa, "/s", bytes(0)),
        (ecdsa, "/r", bytes(33)),
        (ecdsa, "/s", bytes(40_000)),
        (ecdsa, "/r", json!(null)),
        (ecdsa, "/r", json!(7)),
        (rsa, "/nonce", bytes(31)),
        (rsa, "/nonce", bytes(32)),
        (rsa, "/signature", bytes(256)),
        (rsa, "/signature", bytes(0)),
        (rsa, "/signature", bytes(1024)),
        (rsa, "/signature", json!("*")),
    ];
    for (scheme, field, value) in table {
        let key = if scheme == rsa { Key::rsa() } else { Key::p256() };
        let place = format!("{scheme}{field}");
        let outcome = tampered(&key, |answer| *answer.pointer_mut(&place).unwrap() = value.clone()).await;
        assert!(outcome.is_err(), "{place} = {value}");
    }
}

#[tokio::test]
async fn answer_for_a_key_of_another_kind_proves_nothing() {
    let missing = tampered(&Key::p256(), |answer| *answer = json!({})).await;
    assert!(matches!(missing, Err(AttestError::Evidence { .. })), "{missing:?}");
    let key = Key::p256();
    let swapped = tampered(&key, |answer| {
        let proof = answer["ecdsa_signature"].take();
        *answer = json!({ "rsa_signature": { "nonce": proof["nonce"], "signature": proof["r"] } });
    });
    assert!(matches!(swapped.await, Err(AttestError::Evidence { .. })));
}

/// Answers every challenge with what it answered the first.
struct Replaying<'a> {
    possession: &'a Possession,
    recorded: Option<Vec<u8>>,
}

#[async_trait]
impl Dialogue for Replaying<'_> {
    async fn challenge(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        Ok(self.recorded.get_or_insert_with(|| self.possession.respond(&challenge).unwrap()).clone())
    }
}

#[tokio::test]
async fn answer_that_was_recorded_counts_once() {
    let pki = Pki::new();
    for key in [Key::p256(), Key::rsa()] {
        let possession = possession(&pki, &key);
        let attestors = NodeAttestors::new(trust_domain(), [pki.attestor(pki.config()).await]);
        let mut replaying = Replaying { possession: &possession, recorded: None };
        attestors.attest(KIND, &possession.payload(), None, &mut replaying).await.unwrap();
        let refused = attestors.attest(KIND, &possession.payload(), None, &mut replaying).await;
        assert!(matches!(refused, Err(AttestError::Unproven { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn key_of_somebody_else_proves_nothing() {
    let pki = Pki::new();
    let (mine, theirs) = (possession(&pki, &Key::p256()), possession(&pki, &Key::p256()));
    let attestors = NodeAttestors::new(trust_domain(), [pki.attestor(pki.config()).await]);
    let mut agent = Agent { possession: &mine, spoil: &|_| {} };
    let refused = attestors.attest(KIND, &theirs.payload(), None, &mut agent).await;
    assert!(matches!(refused, Err(AttestError::Unproven { .. })), "{refused:?}");
}

#[tokio::test]
async fn bad_challenges_have_no_answer() {
    let possession = possession(&Pki::new(), &Key::p256());
    let nonce = |length: usize| BASE64_STANDARD.encode(vec![7; length]);
    for challenge in [
        json!({ "rsa_signature": { "nonce": nonce(32) } }),
        json!({ "ecdsa_signature": { "nonce": nonce(31) } }),
        json!({ "ecdsa_signature": { "nonce": nonce(33) } }),
        json!({ "ecdsa_signature": { "nonce": "" } }),
        json!({ "ecdsa_signature": null, "rsa_signature": null }),
        json!({}),
    ] {
        assert!(possession.respond(&serde_json::to_vec(&challenge).unwrap()).is_err(), "{challenge}");
    }
}

#[test]
fn files_that_do_not_fit_are_named() {
    let pki = Pki::new();
    let key = Key::p256();
    let leaf = pki.sign(&node_certificate(), &key);
    let der = |key: &Key| key.pkcs8();
    let refuse = |chain: Vec<_>, key: &[u8]| {
        Possession::new(chain, &PrivateKeyDer::Pkcs8(key.to_vec().into())).unwrap_err().to_string()
    };
    assert!(refuse(vec![leaf.clone()], &der(&Key::p256())).contains("does not belong"));
    assert!(refuse(vec![leaf.clone()], b"garbage").contains("neither RSA nor EC"));
    assert!(refuse(vec![], &der(&key)).contains("cannot be used"));
    let mut params = node_certificate();
    params.key_usages = vec![];
    assert!(refuse(vec![pki.sign(&params, &key)], &der(&key)).contains("digitalSignature"));
    let ed25519 = Key::ed25519();
    assert!(refuse(vec![pki.sign(&node_certificate(), &ed25519)], &der(&ed25519)).contains("Ed25519"));
}

#[tokio::test]
async fn file_that_cannot_be_read_is_named() {
    let pki = Pki::new();
    for (name, content) in [("node.key", "nothing"), ("node.pem", "nothing"), ("intermediate.pem", "")] {
        let files = pki.node_files();
        std::fs::write(pki.path(name), content).unwrap();
        let refused = X509PopEvidence::new(files).payload().await.unwrap_err();
        assert!(refused.to_string().contains(name), "{refused}");
    }
}

//! The other side is somebody else's: proofs made and checked as SPIRE does, by other library functions.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P521_SHA256_ASN1, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_SHA256, RsaKeyPair, RsaPssSaltLength, RsaSignatureEncoding, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::PublicKeyData;
use serde_json::{Value, json};

use super::*;

const NONCE: [u8; 32] = [9; 32];

fn answer(possession: &Possession, scheme: &str) -> (Vec<u8>, Value) {
    let challenge = json!({ scheme: { "nonce": BASE64_STANDARD.encode(NONCE) } });
    let response = possession.respond(&serde_json::to_vec(&challenge).unwrap()).unwrap();
    let response: Value = serde_json::from_slice(&response).unwrap();
    let answer = response[scheme].clone();
    ([NONCE.to_vec(), bytes(&answer["nonce"])].concat(), answer)
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// A DER INTEGER of a positive number.
fn integer(number: &[u8]) -> Vec<u8> {
    let sign = if number[0] & 0x80 == 0 { vec![] } else { vec![0] };
    let length = u8::try_from(number.len() + sign.len()).unwrap();
    [vec![0x02, length], sign, number.to_vec()].concat()
}

#[test]
fn signatures_are_over_sha_256_whatever_the_curve() {
    let pki = Pki::new();
    let table: [(Key, &'static dyn VerificationAlgorithm); 3] = [
        (Key::p256(), &ECDSA_P256_SHA256_ASN1),
        (Key::p384(), &ECDSA_P384_SHA256_ASN1),
        (Key::p521(), &ECDSA_P521_SHA256_ASN1),
    ];
    for (key, algorithm) in table {
        let (message, proof) = answer(&possession(&pki, &key), "ecdsa_signature");
        let numbers = [integer(&bytes(&proof["r"])), integer(&bytes(&proof["s"]))].concat();
        let length = u8::try_from(numbers.len()).unwrap();
        let head = if length < 128 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
        let signature = [head, numbers].concat();
        let public = key.0.subject_public_key_info();
        UnparsedPublicKey::new(algorithm, public).verify(&message, &signature).unwrap();
    }
}

#[test]
fn rsa_signatures_are_pss_with_salt_as_long_as_the_hash() {
    let key = Key::rsa();
    let (message, proof) = answer(&possession(&Pki::new(), &key), "rsa_signature");
    let public = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.0.subject_public_key_info());
    public.verify(&message, &bytes(&proof["signature"])).unwrap();
}

/// Signs as Go does when it is not told how much salt: as much as there is room for.
struct Gopher<'a> {
    key: &'a Key,
    salt: &'static RsaSignatureEncoding,
}

#[async_trait]
impl Dialogue for Gopher<'_> {
    async fn challenge(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        let challenge: Value = serde_json::from_slice(&challenge).unwrap();
        assert!(challenge["ecdsa_signature"].is_null());
        let asked = bytes(&challenge["rsa_signature"]["nonce"]);
        assert_eq!(asked.len(), 32);
        let pair = RsaKeyPair::from_pkcs8(&self.key.pkcs8()).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        let message = [asked, NONCE.to_vec()].concat();
        pair.sign(self.salt, &SystemRandom::new(), &message, &mut signature).unwrap();
        let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        let proof = json!({ "nonce": encode(&NONCE), "signature": encode(&signature) });
        Ok(serde_json::to_vec(&json!({ "rsa_signature": proof, "ecdsa_signature": null })).unwrap())
    }
}

#[tokio::test]
async fn salt_may_be_as_go_makes_it() {
    const MOST: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);
    const ODD: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(17));
    let pki = Pki::new();
    let key = Key::rsa();
    let payload = possession(&pki, &key).payload();
    let attestors = NodeAttestors::new(trust_domain(), [pki.attestor(pki.config()).await]);
    for salt in [&MOST, &RSA_PSS_SHA256] {
        attestors.attest(KIND, &payload, None, &mut Gopher { key: &key, salt }).await.unwrap();
    }
    let refused = attestors.attest(KIND, &payload, None, &mut Gopher { key: &key, salt: &ODD }).await;
    assert!(refused.is_err(), "no program makes such a signature");
}

#[test]
fn messages_are_spires() {
    let possession = possession(&Pki::new(), &Key::p256());
    let payload: Value = serde_json::from_slice(&possession.payload()).unwrap();
    assert_eq!(payload["certificates"].as_array().unwrap().len(), 2);
    assert!(bytes(&payload["certificates"][0]).starts_with(&[0x30]));
}

//! Keys that are the same at every run, so that the corpus is. They protect nothing.

use aws_lc_rs::{
    agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521},
    digest::{SHA512, digest},
    encoding::AsDer,
    rand::SystemRandom,
    signature::{
        self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject};

use super::{
    der::{NULL, oid, sequence},
    weak::Weak,
};
use crate::pem;

/// A key pair, of a kind that signs or of one that only stands in a leaf.
pub(crate) struct Key {
    pub(crate) spki: Vec<u8>,
    pkcs8: Vec<u8>,
    signer: Option<Signer>,
}

/// How a key signs, and how its signatures are verified.
struct Signer {
    pair: Pair,
    /// None where the library has none: what was once signed is kept then.
    verification: Option<&'static dyn VerificationAlgorithm>,
    /// The AlgorithmIdentifier of its signatures.
    identifier: Vec<u8>,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
    /// Over a hash that is broken.
    Weak(Weak),
}

impl Key {
    /// The key on P-256 that is made from this name.
    pub(crate) fn p256(name: &str) -> Self {
        let signing = &ECDSA_P256_SHA256_ASN1_SIGNING;
        Self::ec(name, 32, &ECDH_P256, signing, &signature::ECDSA_P256_SHA256_ASN1, "1.2.840.10045.4.3.2")
    }

    /// The key on P-384 that is made from this name.
    pub(crate) fn p384(name: &str) -> Self {
        let signing = &ECDSA_P384_SHA384_ASN1_SIGNING;
        Self::ec(name, 48, &ECDH_P384, signing, &signature::ECDSA_P384_SHA384_ASN1, "1.2.840.10045.4.3.3")
    }

    /// The key on P-521 that is made from this name.
    pub(crate) fn p521(name: &str) -> Self {
        let signing = &ECDSA_P521_SHA512_ASN1_SIGNING;
        Self::ec(name, 66, &ECDH_P521, signing, &signature::ECDSA_P521_SHA512_ASN1, "1.2.840.10045.4.3.4")
    }

    fn ec(
        name: &str,
        size: usize,
        curve: &'static agreement::Algorithm,
        signing: &'static EcdsaSigningAlgorithm,
        verification: &'static dyn VerificationAlgorithm,
        identifier: &str,
    ) -> Self {
        let hash = digest(&SHA512, name.as_bytes());
        // P-521 takes two bytes more than the hash has.
        let mut secret = vec![0; size.saturating_sub(64)];
        secret.extend_from_slice(&hash.as_ref()[..size.min(64)]);
        let point = agreement::PrivateKey::from_private_key(curve, &secret).and_then(|key| {
            key.compute_public_key()
                .map_err(|_| aws_lc_rs::error::KeyRejected::from(aws_lc_rs::error::Unspecified))
        });
        let point = point.expect("a hash is a number below the order of the curve");
        let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, &secret, point.as_ref())
            .expect("the point belongs to the number");
        Self {
            spki: pair.public_key().as_der().expect("a key can be written").as_ref().to_vec(),
            pkcs8: pair.to_pkcs8v1().expect("a key can be written").as_ref().to_vec(),
            signer: Some(Signer {
                pair: Pair::Ec(pair),
                verification: Some(verification),
                identifier: sequence(&[&oid(identifier)]),
            }),
        }
    }

    /// The Ed25519 key that is made from this name.
    pub(crate) fn ed25519(name: &str) -> Self {
        let hash = digest(&SHA512, name.as_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(&hash.as_ref()[..32]).expect("32 bytes are a seed");
        Self {
            spki: pair.public_key().as_der().expect("a key can be written").as_ref().to_vec(),
            pkcs8: pair.to_pkcs8v1().expect("a key can be written").as_ref().to_vec(),
            signer: Some(Signer {
                pair: Pair::Ed25519(pair),
                verification: Some(&signature::ED25519),
                identifier: sequence(&[&oid("1.3.101.112")]),
            }),
        }
    }

    /// A key of `keys/`, made once by OpenSSL: a private key and its public half, which only a leaf has.
    pub(crate) fn stored(text: &str) -> Self {
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).expect("a public key");
        let pkcs8 = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).expect("a private key");
        Self { spki: spki.to_vec(), pkcs8: pkcs8.secret_pkcs8_der().to_vec(), signer: None }
    }

    /// A stored RSA key that signs.
    pub(crate) fn stored_rsa(text: &str) -> Self {
        let key = Self::stored(text);
        let pair = RsaKeyPair::from_pkcs8(&key.pkcs8).expect("an RSA key of 2048 bits or more");
        let signer = Signer {
            pair: Pair::Rsa(Box::new(pair)),
            verification: Some(&signature::RSA_PKCS1_2048_8192_SHA256),
            identifier: sequence(&[&oid("1.2.840.113549.1.1.11"), NULL]),
        };
        Self { signer: Some(signer), ..key }
    }

    /// The same key where it signs over a broken hash.
    pub(crate) fn weakly(&self, weak: Weak) -> Self {
        let signer = Signer {
            pair: Pair::Weak(weak),
            verification: weak.verification(),
            identifier: weak.identifier(),
        };
        Self { spki: self.spki.clone(), pkcs8: self.pkcs8.clone(), signer: Some(signer) }
    }

    /// PKCS#8, in PEM.
    pub(crate) fn to_pem(&self) -> String {
        pem::encode("PRIVATE KEY", &self.pkcs8)
    }

    /// The AlgorithmIdentifier of its signatures.
    pub(crate) fn algorithm(&self) -> &[u8] {
        &self.signer().identifier
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.signer().pair {
            Pair::Ec(pair) => {
                pair.sign(&SystemRandom::new(), message).expect("a key signs").as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .expect("a key signs");
                signature
            }
            Pair::Weak(weak) => weak.sign(&self.to_pem(), message),
        }
    }

    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let is_by = |verification| {
            UnparsedPublicKey::new(verification, &self.spki).verify(message, signature).is_ok()
        };
        self.signer().verification.is_none_or(is_by)
    }

    fn signer(&self) -> &Signer {
        self.signer.as_ref().expect("only keys that sign are given to authorities")
    }
}

//! Documents that carry a signature over a part of themselves (X.509's SIGNED), taken apart into exactly the bytes that
//! it covers.

use aws_lc_rs::signature::{self, VerificationAlgorithm};
use der::{
    Decode, Reader, SliceReader, Tag,
    asn1::BitStringRef,
    oid::{
        ObjectIdentifier,
        db::{rfc5912, rfc8410},
    },
};
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::{KeyKind, PublicKey};

/// The three parts.
pub(crate) struct SignedParts<'a> {
    pub(crate) signed: &'a [u8],
    pub(crate) algorithm: ObjectIdentifier,
    signature: &'a [u8],
}

impl<'a> SignedParts<'a> {
    pub(crate) fn take_apart(der: &'a [u8]) -> Result<Self, der::Error> {
        let mut reader = SliceReader::new(der)?;
        let parts = reader.sequence(|reader| {
            let signed = reader.tlv_bytes()?;
            let algorithm = AlgorithmIdentifierRef::decode(reader)?.oid;
            let signature = BitStringRef::decode(reader)?;
            let signature =
                signature.as_bytes().ok_or_else(|| der::Error::from(Tag::BitString.value_error()))?;
            Ok::<_, der::Error>(Self { signed, algorithm, signature })
        })?;
        reader.finish()?;
        Ok(parts)
    }

    /// `None` when the algorithm does not fit the key.
    pub(crate) fn are_signed_by(&self, key: &PublicKey) -> Option<bool> {
        let verification = verification(self.algorithm, key.kind())?;
        Some(key.has_signed(verification, self.signed, self.signature))
    }
}

/// The library's algorithm, if the document's fits the key: the key chooses, not the document alone.
fn verification(algorithm: ObjectIdentifier, kind: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (algorithm, kind) {
        (rfc5912::ECDSA_WITH_SHA_256, KeyKind::EcP256) => &signature::ECDSA_P256_SHA256_ASN1,
        (rfc5912::ECDSA_WITH_SHA_384, KeyKind::EcP256) => &signature::ECDSA_P256_SHA384_ASN1,
        (rfc5912::ECDSA_WITH_SHA_512, KeyKind::EcP256) => &signature::ECDSA_P256_SHA512_ASN1,
        (rfc5912::ECDSA_WITH_SHA_256, KeyKind::EcP384) => &signature::ECDSA_P384_SHA256_ASN1,
        (rfc5912::ECDSA_WITH_SHA_384, KeyKind::EcP384) => &signature::ECDSA_P384_SHA384_ASN1,
        (rfc5912::ECDSA_WITH_SHA_512, KeyKind::EcP384) => &signature::ECDSA_P384_SHA512_ASN1,
        (rfc5912::ECDSA_WITH_SHA_256, KeyKind::EcP521) => &signature::ECDSA_P521_SHA256_ASN1,
        (rfc5912::ECDSA_WITH_SHA_384, KeyKind::EcP521) => &signature::ECDSA_P521_SHA384_ASN1,
        (rfc5912::ECDSA_WITH_SHA_512, KeyKind::EcP521) => &signature::ECDSA_P521_SHA512_ASN1,
        (rfc5912::SHA_256_WITH_RSA_ENCRYPTION, KeyKind::Rsa { .. }) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (rfc5912::SHA_384_WITH_RSA_ENCRYPTION, KeyKind::Rsa { .. }) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (rfc5912::SHA_512_WITH_RSA_ENCRYPTION, KeyKind::Rsa { .. }) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (rfc8410::ID_ED_25519, KeyKind::Ed25519) => &signature::ED25519,
        _ => return None,
    })
}

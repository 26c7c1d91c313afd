//! What binds an authentication inside a TLS connection to the server of that connection.

#[cfg(test)]
mod tests;

use aws_lc_rs::digest::{self, Algorithm, digest};
use der::{
    AnyRef, Decode, Sequence,
    oid::{ObjectIdentifier, db::rfc5912},
};
use rustls_pki_types::CertificateDer;
use x509_cert::{Certificate, spki::AlgorithmIdentifierRef};

/// The channel binding `tls-server-end-point` (RFC 5929 §4.1) of a connection with a server that presented this leaf: its
/// digest by the hash of its signature, SHA-256 for MD5 and SHA-1. `None` when the signature has no hash of its own, as
/// Ed25519, or the certificate is malformed.
pub fn tls_server_end_point(leaf: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(leaf).ok()?;
    let signed_by = certificate.signature_algorithm();
    let parameters = signed_by.parameters.as_ref().map(AnyRef::from);
    let hash = match signed_by.oid {
        rfc5912::ECDSA_WITH_SHA_224 | rfc5912::SHA_224_WITH_RSA_ENCRYPTION => &digest::SHA224,
        ECDSA_WITH_SHA_1
        | rfc5912::MD_5_WITH_RSA_ENCRYPTION
        | rfc5912::SHA_1_WITH_RSA_ENCRYPTION
        | rfc5912::ECDSA_WITH_SHA_256
        | rfc5912::SHA_256_WITH_RSA_ENCRYPTION => &digest::SHA256,
        rfc5912::ECDSA_WITH_SHA_384 | rfc5912::SHA_384_WITH_RSA_ENCRYPTION => &digest::SHA384,
        rfc5912::ECDSA_WITH_SHA_512 | rfc5912::SHA_512_WITH_RSA_ENCRYPTION => &digest::SHA512,
        rfc5912::ID_RSASSA_PSS => hash_of_pss(parameters?)?,
        _ => return None,
    };
    Some(digest(hash, leaf).as_ref().to_vec())
}

/// RFC 3279 §2.2.3; the tables of the library begin later.
const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

/// `RSASSA-PSS-params` (RFC 4055 §3.1), of which only the hash counts here.
#[derive(Sequence)]
struct PssParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AnyRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_length: Option<AnyRef<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<AnyRef<'a>>,
}

/// SHA-1 when the parameters do not say, and so SHA-256.
fn hash_of_pss(parameters: AnyRef<'_>) -> Option<&'static Algorithm> {
    let parameters = parameters.decode_as::<PssParameters<'_>>().ok()?;
    match parameters.hash.map_or(rfc5912::ID_SHA_1, |hash| hash.oid) {
        rfc5912::ID_SHA_1 | rfc5912::ID_SHA_256 => Some(&digest::SHA256),
        rfc5912::ID_SHA_224 => Some(&digest::SHA224),
        rfc5912::ID_SHA_384 => Some(&digest::SHA384),
        rfc5912::ID_SHA_512 => Some(&digest::SHA512),
        _ => None,
    }
}

//! Writing PEM (RFC 7468).

use der::pem::{LineEnding, encode_string};
use rustls_pki_types::CertificateDer;

/// Certificates as PEM (RFC 7468), in their order.
pub fn certificates_to_pem<'a>(certificates: impl IntoIterator<Item = &'a CertificateDer<'a>>) -> String {
    certificates.into_iter().map(|der| certificate(der)).collect()
}

/// One certificate between its markers, with a final line feed.
#[expect(clippy::expect_used, reason = "the label is valid, and memory is not limited")]
pub(crate) fn certificate(der: &[u8]) -> String {
    encode_string("CERTIFICATE", LineEnding::LF, der).expect("a valid label")
}

/// One unencrypted PKCS#8 key between its markers, with a final line feed.
#[expect(clippy::expect_used, reason = "the label is valid, and memory is not limited")]
pub(crate) fn private_key(der: &[u8]) -> String {
    encode_string("PRIVATE KEY", LineEnding::LF, der).expect("a valid label")
}

//! The same certificates in PKCS#12, as programs in Java and .NET read them.

use finial_identity::{Keystore, KeystoreError, PrivateKey, Truststore};
use zeroize::Zeroizing;

use super::certificates::Certificates;

pub(super) fn keystore(
    certificates: &Certificates,
    key: &PrivateKey,
    password: &str,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    Keystore { chain: certificates.chain.clone(), key: key.clone() }.seal(password)
}

/// Each certificate is called by its trust domain and its number there: `example.org-1`.
pub(super) fn truststore(
    certificates: &Certificates,
    password: &str,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let named = certificates.bundle.iter().enumerate().map(|(index, (domain, certificate))| {
        let number = certificates.bundle[..=index].iter().filter(|(other, _)| other == domain).count();
        (format!("{domain}-{number}"), certificate.clone())
    });
    Truststore { certificates: named.collect() }.seal(password)
}

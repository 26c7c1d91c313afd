//! The rules for the leaf of an X.509-SVID (X509-SVID §2, §4, §5.2).

use x509_cert::ext::pkix::name::GeneralName;

use super::{certificate::CertificateView, error::X509Error};
use crate::SpiffeId;

/// Checks the leaf, and gives the ID it is for.
pub(super) fn check(leaf: &CertificateView) -> Result<SpiffeId, X509Error> {
    check_usage(leaf)?;
    check_subject(leaf)?;
    let id = SpiffeId::parse(only_uri_name(leaf)?).map_err(X509Error::SpiffeId)?;
    if !id.has_path() {
        return Err(X509Error::Leaf("has the id of a trust domain; a workload's id has a path"));
    }
    Ok(id)
}

/// A signing certificate is never an identity (§3.2, §5.2). No basic constraints at all mean the same as a CA bit
/// that is off, its default.
pub(super) fn check_usage(leaf: &CertificateView) -> Result<(), X509Error> {
    if leaf.is_ca() {
        return Err(X509Error::Leaf("is a certificate authority"));
    }
    let Some(usage) = &leaf.key_usage else {
        return Err(X509Error::Leaf("has no key usage"));
    };
    if usage.key_cert_sign() {
        return Err(X509Error::Leaf("has key usage keyCertSign"));
    }
    if usage.crl_sign() {
        return Err(X509Error::Leaf("has key usage cRLSign"));
    }
    if !usage.digital_signature() {
        return Err(X509Error::Leaf("lacks key usage digitalSignature"));
    }
    Ok(())
}

/// Without a subject the names are critical (§3.1, RFC 5280 §4.1.2.6): who cannot read them must not take the leaf for
/// anybody's.
pub(super) fn check_subject(leaf: &CertificateView) -> Result<(), X509Error> {
    match leaf.has_subject || leaf.are_alt_names_critical {
        true => Ok(()),
        false => Err(X509Error::Leaf("has neither a subject nor critical names")),
    }
}

/// Exactly one URI name, whatever its scheme, among names of any other type (§2).
fn only_uri_name(leaf: &CertificateView) -> Result<&str, X509Error> {
    let names = leaf.subject_alt_names.as_deref().unwrap_or_default();
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
        _ => None,
    });
    match (uris.next(), uris.next()) {
        (Some(uri), None) => Ok(uri),
        (None, _) => Err(X509Error::Leaf("has no uri name")),
        (Some(_), Some(_)) => Err(X509Error::Leaf("has more than one uri name")),
    }
}

//! What a human is told of the certificates of a chain.

use std::time::SystemTime;

use der::Decode;
use x509_cert::Certificate;
use x509_cert::ext::pkix::name::GeneralName;

use super::X509Svid;
use super::certificate::CertificateView;
use crate::SpiffeId;

/// A certificate of a chain, for people: nothing is decided by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSummary {
    /// The SPIFFE ID it is for, of a workload or of a trust domain, if it is for one.
    pub id: Option<SpiffeId>,
    /// Its subject as RFC 4514 writes names, the last part first: `O=SPIRE,C=US`.
    pub subject: String,
    /// Until when it is valid.
    pub not_after: SystemTime,
}

impl X509Svid {
    /// A summary of each certificate of the chain, leaf first.
    pub fn summaries(&self) -> Vec<CertificateSummary> {
        self.chain().iter().filter_map(|certificate| summary(certificate)).collect()
    }
}

/// The chain was parsed before, so that there is one of each.
fn summary(der: &[u8]) -> Option<CertificateSummary> {
    let view = CertificateView::parse(der).ok()?;
    let names = view.subject_alt_names.unwrap_or_default();
    let id = names.iter().find_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => SpiffeId::parse(uri.as_str()).ok(),
        _ => None,
    });
    let subject = Certificate::from_der(der).ok()?.tbs_certificate().subject().to_string();
    Some(CertificateSummary { id, subject, not_after: view.not_after })
}

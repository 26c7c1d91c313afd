//! Which certificates go into the chain, and which into the bundle.

use std::collections::BTreeSet;
use std::time::SystemTime;

use finial_identity::{Bundle, BundleSet, TrustDomain, X509Authority, X509Credential, certificates_to_pem};
use rustls_pki_types::CertificateDer;

use crate::X509Output;

/// The certificates of one output.
pub(super) struct Certificates {
    /// Leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Each with the trust domain whose it is.
    pub(super) bundle: Vec<(TrustDomain, CertificateDer<'static>)>,
    /// The anchors of the identity's own trust domain.
    anchors: BTreeSet<Vec<u8>>,
}

impl Certificates {
    pub(super) fn of(
        output: &X509Output,
        credential: &X509Credential,
        bundles: &BundleSet,
        at: SystemTime,
    ) -> Self {
        let svid = credential.svid();
        let domain = svid.id().trust_domain();
        let own = bundles.bundle(&domain);
        let (chain, above) = match svid.chain().split_first() {
            Some((leaf, above)) if output.add_intermediates_to_bundle => (vec![leaf.clone()], above),
            _ => (svid.chain().to_vec(), &[][..]),
        };
        let authorities = |bundle: &Bundle| {
            let domain = bundle.trust_domain.clone();
            let certificates =
                bundle.x509_authorities.iter().map(|authority| authority.certificate().clone());
            certificates.map(move |certificate| (domain.clone(), certificate)).collect::<Vec<_>>()
        };
        // In the order of spiffe-helper.
        let mut bundle = own.map(|own| authorities(own)).unwrap_or_default();
        bundle.extend(above.iter().map(|certificate| (domain.clone(), certificate.clone())));
        if output.include_federated_domains {
            let others = bundles.iter().filter(|bundle| bundle.trust_domain != domain);
            bundle.extend(others.flat_map(|bundle| authorities(bundle)));
        }
        let anchors =
            own.map(|own| own.x509_authorities.iter().map(|it| it.certificate().to_vec()).collect());
        let mut certificates = Self { chain, bundle, anchors: anchors.unwrap_or_default() };
        if output.omit_expired {
            certificates.chain.retain(|certificate| !has_expired(certificate, at));
            certificates.bundle.retain(|(_, certificate)| !has_expired(certificate, at));
        }
        certificates
    }

    pub(super) fn chain_pem(&self) -> Vec<u8> {
        certificates_to_pem(&self.chain).into_bytes()
    }

    /// As the draft of SPIFFE Filesystem Delivery wants it (§2.1).
    pub(super) fn chain_without_anchors_pem(&self) -> Vec<u8> {
        let below = self.chain.iter().filter(|certificate| !self.anchors.contains(certificate.as_ref()));
        certificates_to_pem(below).into_bytes()
    }

    pub(super) fn bundle_pem(&self) -> Vec<u8> {
        certificates_to_pem(self.bundle.iter().map(|(_, certificate)| certificate)).into_bytes()
    }
}

/// One that cannot be read is not known to have expired.
fn has_expired(certificate: &CertificateDer<'_>, at: SystemTime) -> bool {
    X509Authority::parse_der(certificate.to_vec()).is_ok_and(|read| at > read.not_after())
}

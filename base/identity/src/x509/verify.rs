//! Verifying an X.509-SVID against the bundle of its own trust domain.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, VerifiedPath,
};

use super::{RevocationLists, X509Authority, X509Error, X509Svid};
use crate::{BundleSet, Verified};

/// Which part the presenter of a certificate plays in the TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It connected: an extended key usage, if any, must allow client authentication.
    Client,
    /// It was connected to: an extended key usage, if any, must allow server authentication.
    Server,
}

impl ExtendedKeyUsageValidator for Role {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        match self {
            Self::Client => KeyUsage::client_auth().validate(usages),
            Self::Server => KeyUsage::server_auth().validate(usages),
        }
    }
}

impl X509Svid {
    /// Verifies the chain at this time against the bundle of the leaf's own trust domain (SPIFFE Federation §7.3).
    ///
    /// Path validation is webpki's (RFC 5280 §6), and more: what has expired, has no CA bit or may not sign
    /// certificates does not anchor, and an anchor's path length counts. The rules for the leaf itself were checked
    /// when the SVID was parsed.
    ///
    /// # Errors
    /// [`X509Error`] when there is no such bundle, no valid authority in it, or no valid path to one.
    pub fn verify(
        &self,
        bundles: &BundleSet,
        at: SystemTime,
        role: Role,
    ) -> Result<Verified<X509Svid>, X509Error> {
        self.verify_unrevoked(bundles, &RevocationLists::default(), at, role)
    }

    /// Verifies the chain as [`verify`](Self::verify) does, and that none of it is in a list of its issuer.
    ///
    /// # Errors
    /// As [`verify`](Self::verify); [`X509Error::Revoked`].
    pub fn verify_unrevoked(
        &self,
        bundles: &BundleSet,
        revoked: &RevocationLists,
        at: SystemTime,
        role: Role,
    ) -> Result<Verified<X509Svid>, X509Error> {
        let trust_domain = self.id().trust_domain();
        let Some(bundle) = bundles.bundle(&trust_domain) else {
            return Err(X509Error::NoBundle(trust_domain));
        };
        let anchors = Anchors::at(&bundle.x509_authorities, at);
        if anchors.is_empty() {
            return Err(X509Error::NoAuthority(trust_domain));
        }
        verify_path(self.leaf(), self.signers(), &anchors, at, role, |path| {
            revoked.check(path, &anchors, at)
        })
        .map_err(X509Error::Chain)?
        .map_err(X509Error::Revoked)?;
        Ok(Verified::new(self.clone()))
    }
}

/// Finds a valid path from the leaf to an anchor, and reads from it what the caller wants to know.
pub(super) fn verify_path<T>(
    leaf: &CertificateDer<'_>,
    signers: &[CertificateDer<'_>],
    anchors: &Anchors<'_>,
    at: SystemTime,
    usage: impl ExtendedKeyUsageValidator,
    read: impl FnOnce(&VerifiedPath<'_>) -> T,
) -> Result<T, webpki::Error> {
    let time = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO));
    let leaf = EndEntityCert::try_from(leaf)?;
    let path = leaf.verify_for_usage(
        ALL_VERIFICATION_ALGS,
        &anchors.anchors,
        signers,
        time,
        usage,
        None,
        Some(&|path| anchors.check_path_length(path)),
    )?;
    Ok(read(&path))
}

/// The authorities that chains may end in, in webpki's form and in ours, in the same order.
pub(super) struct Anchors<'a> {
    authorities: Vec<&'a X509Authority>,
    anchors: Vec<TrustAnchor<'a>>,
}

impl<'a> Anchors<'a> {
    pub(super) fn at(authorities: &'a [X509Authority], at: SystemTime) -> Self {
        let (authorities, anchors) = authorities
            .iter()
            .filter(|authority| authority.anchors(at))
            .map(|authority| (authority, authority.anchor()))
            .unzip();
        Self { authorities, anchors }
    }

    fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// The authorities that a path may end in: more than one when they share name and key.
    pub(super) fn ends_of(&self, path: &VerifiedPath<'_>) -> impl Iterator<Item = &'a X509Authority> {
        let same = self.anchors.iter().zip(&self.authorities).filter(|(anchor, _)| *anchor == path.anchor());
        same.map(|(_, authority)| *authority)
    }

    /// The path length of the anchor itself, which webpki leaves aside (RFC 5280 §6.2 lets it).
    fn check_path_length(&self, path: &VerifiedPath<'_>) -> Result<(), webpki::Error> {
        let others = |certificate: &&webpki::Cert<'_>| certificate.issuer() != certificate.subject();
        let intermediates = path.intermediate_certificates().filter(others).count();
        match self.ends_of(path).any(|authority| authority.allows(intermediates)) {
            true => Ok(()),
            false => Err(webpki::Error::PathLenConstraintViolated),
        }
    }
}

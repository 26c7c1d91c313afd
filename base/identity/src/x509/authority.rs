//! The certificates that X.509-SVIDs are verified by.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls_pki_types::{CertificateDer, Der, TrustAnchor};

use super::certificate::{CertificateError, CertificateView};
use crate::PublicKey;

/// A certificate that signs X.509-SVIDs. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct X509Authority {
    inner: Arc<Inner>,
    tainted: bool,
}

#[derive(PartialEq, Eq)]
struct Inner {
    certificate: CertificateDer<'static>,
    /// What path validation reads of it, read once.
    anchor: TrustAnchor<'static>,
    not_before: SystemTime,
    not_after: SystemTime,
    subject_key_id: Vec<u8>,
    /// None when it is of a kind that this crate does not know.
    public_key: Option<PublicKey>,
    may_sign: bool,
    may_sign_lists: bool,
    path_length: Option<u8>,
}

impl X509Authority {
    /// Parses one DER certificate.
    ///
    /// A certificate that is expired, has no CA bit, or a critical extension that is not understood is held, but
    /// nothing is ever accepted by it. So a bundle with one of them is still of use.
    ///
    /// # Errors
    /// [`CertificateError`] when it is malformed.
    pub fn parse_der(der: impl Into<Vec<u8>>) -> Result<Self, CertificateError> {
        let certificate = CertificateDer::from(der.into());
        let view = CertificateView::parse(&certificate)?;
        let anchor =
            webpki::anchor_from_trusted_cert(&certificate).map_err(CertificateError::Unusable)?.to_owned();
        let public_key = PublicKey::from_spki_der(&view.spki).ok();
        let key_hash = || public_key.as_ref().map(|key| key.subject_key_id().to_vec()).unwrap_or_default();
        let inner = Inner {
            not_before: view.not_before,
            not_after: view.not_after,
            may_sign: view.may_sign() && !view.has_unknown_critical,
            may_sign_lists: view.may_sign_lists(),
            path_length: view.path_length(),
            subject_key_id: view.subject_key_id.unwrap_or_else(key_hash),
            public_key,
            anchor,
            certificate,
        };
        Ok(Self { inner: Arc::new(inner), tainted: false })
    }

    /// The certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.inner.certificate
    }

    /// The subject key identifier in lower-case hex: SPIRE's authority ID. The hash of the key when the certificate
    /// names none.
    pub fn subject_key_id_hex(&self) -> String {
        hex::encode(&self.inner.subject_key_id)
    }

    pub(super) fn subject_key_id(&self) -> &[u8] {
        &self.inner.subject_key_id
    }

    /// The start of its validity.
    pub fn not_before(&self) -> SystemTime {
        self.inner.not_before
    }

    /// The end of its validity, inclusive.
    pub fn not_after(&self) -> SystemTime {
        self.inner.not_after
    }

    /// Its public key, unless of a kind that is not known here.
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.inner.public_key.as_ref()
    }

    /// Whether the authority is about to be withdrawn: nothing new may be signed by it. What it has signed is still
    /// accepted until it leaves the bundle.
    pub fn is_tainted(&self) -> bool {
        self.tainted
    }

    /// The same authority, tainted or not.
    #[must_use]
    pub fn tainted(self, tainted: bool) -> Self {
        Self { tainted, ..self }
    }

    /// Whether chains may end in it at this time: path validation itself does not ask this of an anchor. Times in
    /// certificates are whole seconds, and the last one counts to its end.
    pub(super) fn anchors(&self, at: SystemTime) -> bool {
        self.inner.may_sign
            && self.inner.not_before <= at
            && at < self.inner.not_after + Duration::from_secs(1)
    }

    pub(super) fn may_sign_lists(&self) -> bool {
        self.inner.may_sign_lists
    }

    /// What path validation reads of it.
    pub(super) fn anchor(&self) -> TrustAnchor<'_> {
        let TrustAnchor { subject, subject_public_key_info, name_constraints } = &self.inner.anchor;
        TrustAnchor {
            subject: Der::from_slice(subject),
            subject_public_key_info: Der::from_slice(subject_public_key_info),
            name_constraints: name_constraints.as_deref().map(Der::from_slice),
        }
    }

    /// Whether this many certificate authorities may stand between it and a leaf.
    pub(super) fn allows(&self, intermediates: usize) -> bool {
        self.inner.path_length.is_none_or(|most| intermediates <= usize::from(most))
    }
}

impl fmt::Debug for X509Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tainted = if self.tainted { ", tainted" } else { "" };
        write!(f, "X509Authority({}{tainted})", self.subject_key_id_hex())
    }
}

//! Lists of certificates that their issuers have revoked (RFC 5280 §5), and what they say of a path.

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::SystemTime};

use der::{Decode, oid::AssociatedOid};
use rustls_pki_types::{CertificateRevocationListDer, pem::PemObject};
use webpki::{Cert, CertRevocationList, OwnedCertRevocationList, VerifiedPath};
use x509_cert::{crl::CertificateList, ext::pkix::AuthorityKeyIdentifier};

use super::{certificate::CertificateView, verify::Anchors};
use crate::{PublicKey, signed::SignedParts};

/// What issuers have revoked. Without a list, nothing. Cloning is cheap.
///
/// A list counts for the certificates of the issuer that signed it, wherever they stand on a path. An issuer without a
/// list has revoked nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevocationLists {
    lists: Arc<[Arc<List>]>,
    expired: Expired,
}

/// What a list is worth after its nextUpdate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expired {
    /// Nobody knows whom its issuer has revoked since: none of its certificates is accepted.
    #[default]
    Refuses,
    /// It still says whom its issuer had revoked.
    Counts,
}

struct List {
    der: CertificateRevocationListDer<'static>,
    index: CertRevocationList<'static>,
    /// Which of several keys of one name has signed it, if it says so.
    issuer_key_id: Option<Vec<u8>>,
    next_update: SystemTime,
}

impl RevocationLists {
    /// Reads lists in PEM, at least one, or one in DER.
    ///
    /// # Errors
    /// [`RevocationListError`] when there is none, or one is malformed, of version 1, without nextUpdate, or a delta.
    pub fn parse(content: &[u8]) -> Result<Self, RevocationListError> {
        let found: Vec<_> = match content {
            [0x30, ..] => vec![CertificateRevocationListDer::from(content.to_vec())],
            text => CertificateRevocationListDer::pem_slice_iter(text)
                .collect::<Result<_, _>>()
                .map_err(RevocationListError::Pem)?,
        };
        if found.is_empty() {
            return Err(RevocationListError::Empty);
        }
        let lists: Result<Vec<_>, _> =
            found.into_iter().map(|list| List::parse(list).map(Arc::new)).collect();
        Ok(Self { lists: lists?.into(), expired: Expired::default() })
    }

    /// These lists and others.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let lists = self.lists.iter().chain(others.lists.iter()).map(Arc::clone);
        Self { lists: lists.collect(), expired: self.expired }
    }

    /// The same lists, which still count after their time: for peers that were accepted while they were fresh.
    #[must_use]
    pub fn even_if_expired(&self) -> Self {
        Self { lists: Arc::clone(&self.lists), expired: Expired::Counts }
    }

    /// When the first of them expires: from then on no certificate of its issuer is accepted. `None` without lists.
    pub fn next_update(&self) -> Option<SystemTime> {
        self.lists.iter().map(|list| list.next_update).min()
    }

    /// Whether no certificate of a path that is valid otherwise was revoked by the one above it.
    pub(super) fn check(
        &self,
        path: &VerifiedPath<'_>,
        anchors: &Anchors<'_>,
        at: SystemTime,
    ) -> Result<(), Revoked> {
        if self.lists.is_empty() {
            return Ok(());
        }
        let mut issuers: Vec<_> = path.intermediate_certificates().map(Issuer::of).collect();
        issuers.push(anchors.ends_of(path).next().map(|authority| Issuer {
            key: authority.public_key().cloned(),
            key_id: authority.subject_key_id().to_vec(),
            may_sign_lists: authority.may_sign_lists(),
        }));
        let leaf: &Cert<'_> = path.end_entity();
        std::iter::once(leaf)
            .chain(path.intermediate_certificates())
            .zip(&issuers)
            .try_for_each(|(certificate, issuer)| self.check_one(certificate, issuer.as_ref(), at))
    }

    fn check_one(
        &self,
        certificate: &Cert<'_>,
        issuer: Option<&Issuer>,
        at: SystemTime,
    ) -> Result<(), Revoked> {
        let (mut known, mut fresh) = (false, false);
        for list in self.lists.iter().filter(|list| list.index.issuer() == certificate.issuer()) {
            if issuer.is_some_and(|issuer| list.is_signed_by(issuer)) {
                if list.names(certificate) {
                    return Err(Revoked::Listed { serial_number: hex::encode(certificate.serial()) });
                }
                known = true;
                fresh |= at < list.next_update;
            } else if !issuer.is_some_and(|issuer| list.is_of_another_key(issuer)) {
                return Err(Revoked::Unproven);
            }
        }
        match known && !fresh && self.expired == Expired::Refuses {
            true => Err(Revoked::Expired),
            false => Ok(()),
        }
    }
}

/// Who signed a certificate of a path.
struct Issuer {
    /// `None` when it is of a kind that is not known here.
    key: Option<PublicKey>,
    key_id: Vec<u8>,
    may_sign_lists: bool,
}

impl Issuer {
    fn of(certificate: &Cert<'_>) -> Option<Self> {
        let view = CertificateView::parse(&certificate.der()).ok()?;
        let key = PublicKey::from_spki_der(&view.spki).ok();
        let hash = || key.as_ref().map(|key| key.subject_key_id().to_vec()).unwrap_or_default();
        let may_sign_lists = view.may_sign_lists();
        let key_id = view.subject_key_id.unwrap_or_else(hash);
        Some(Self { key, key_id, may_sign_lists })
    }
}

impl List {
    /// A list must please two parsers, as certificates must.
    fn parse(der: CertificateRevocationListDer<'static>) -> Result<Self, RevocationListError> {
        let list: CertificateList = CertificateList::from_der(&der).map_err(RevocationListError::Der)?;
        let index = OwnedCertRevocationList::from_der(&der).map_err(RevocationListError::Unusable)?;
        let list = list.tbs_cert_list;
        let next_update = list.next_update.ok_or(RevocationListError::NoNextUpdate)?.to_system_time();
        let extensions = list.crl_extensions.iter().flatten();
        let mut key_ids = extensions.filter(|extension| extension.extn_id == AuthorityKeyIdentifier::OID);
        let issuer_key_id = match key_ids.next() {
            None => None,
            Some(extension) => AuthorityKeyIdentifier::from_der(extension.extn_value.as_bytes())
                .map_err(RevocationListError::Der)?
                .key_identifier
                .map(|id| id.as_bytes().to_vec()),
        };
        Ok(Self { der, index: index.into(), issuer_key_id, next_update })
    }

    /// RFC 5280 §6.3.3 (f) and (g): by its key, which may sign lists.
    fn is_signed_by(&self, issuer: &Issuer) -> bool {
        let parts = SignedParts::take_apart(&self.der).ok();
        issuer.may_sign_lists
            && parts
                .zip(issuer.key.as_ref())
                .is_some_and(|(parts, key)| parts.are_signed_by(key) == Some(true))
    }

    /// Authorities that follow one another often share a name.
    fn is_of_another_key(&self, issuer: &Issuer) -> bool {
        self.issuer_key_id.as_ref().is_some_and(|id| *id != issuer.key_id)
    }

    fn names(&self, certificate: &Cert<'_>) -> bool {
        !matches!(self.index.find_serial(certificate.serial()), Ok(None))
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for List {}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "List(of {} bytes)", self.der.len())
    }
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RevocationListError {
    /// There is none.
    #[error("there is no revocation list, in DER or in PEM (X509 CRL)")]
    Empty,
    /// The PEM text is malformed.
    #[error("revocation list is no valid pem text")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// It is no DER CertificateList.
    #[error("revocation list is malformed")]
    Der(#[source] der::Error),
    /// It never expires, so that nobody could tell when to look for a newer one.
    #[error("revocation list has no nextUpdate")]
    NoNextUpdate,
    /// It is of version 1, a delta, indirect, or has an unknown critical extension.
    #[error("revocation list cannot be used")]
    Unusable(#[source] webpki::Error),
}

/// Why lists refuse a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Revoked {
    /// A certificate is in its issuer's list.
    #[error("certificate {serial_number} was revoked by its issuer")]
    Listed {
        /// Its serial number, in lower-case hex.
        serial_number: String,
    },
    /// The issuer's list is past its nextUpdate.
    #[error("the revocation list of its issuer has expired: fetch the next one")]
    Expired,
    /// A list that bears the issuer's name is not signed by its key, or the key may not sign lists, and the list says of no
    /// other that it is.
    #[error(
        "the revocation list in the name of its issuer is not signed by it, or by a key that may not sign lists"
    )]
    Unproven,
}

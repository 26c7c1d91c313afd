//! X.509 authorities and the certificates they sign.

mod profile;
mod tbs;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_identity::{PublicKey, SpiffeId, X509Svid};
use finial_keys::Key;
use rustls_pki_types::CertificateDer;

use crate::{AuthorityKind, CaSubject, IssueError, random};
use tbs::Template;

/// How far back NotBefore lies, for peers whose clock is behind (SPIRE: 10 s, which skewed clusters exceed).
pub(crate) const BACKDATE: Duration = Duration::from_mins(1);

/// An authority with less left than this signs nothing; for a shorter TTL, less left than the TTL.
pub(crate) const MIN_LEFT: Duration = Duration::from_secs(10);

/// A key that signs X.509-SVIDs, and what of its certificate goes into each of them.
#[derive(Debug)]
pub(crate) struct X509Signer {
    key: Arc<dyn Key>,
    id: String,
    /// The authority's own name, in DER.
    name: Vec<u8>,
    authority_key_id: Vec<u8>,
    validity: Range<SystemTime>,
}

/// What an X.509-SVID says; all of it comes from the grant.
#[derive(Debug)]
pub(crate) struct X509Request<'a> {
    pub(crate) id: &'a SpiffeId,
    pub(crate) dns_names: &'a [String],
    /// A DER Name; that of all SVIDs when none.
    pub(crate) subject: Option<&'a [u8]>,
    pub(crate) ttl: Duration,
}

/// Makes the certificate of an authority, signed by itself.
///
/// # Errors
/// When the key cannot sign, or the subject does not fit into a certificate.
pub(crate) async fn self_signed(
    key: &dyn Key,
    id: &SpiffeId,
    subject: &CaSubject,
    now: SystemTime,
    not_after: SystemTime,
) -> Result<Vec<u8>, IssueError> {
    let serial = random::serial_number()?;
    let name = profile::authority_name(subject, serial)?;
    let extensions = profile::authority_extensions(id, key.public_key())?;
    let template = Template {
        serial,
        issuer: &name,
        not_before: now - BACKDATE,
        not_after,
        subject: &name,
        public_key: key.public_key(),
        extensions,
    };
    tbs::sign(template, key).await
}

impl X509Signer {
    /// The signer for an authority's certificate, which is valid so long, and its key, which the caller knows to belong
    /// together.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub(crate) fn new(
        key: Arc<dyn Key>,
        certificate: &[u8],
        validity: Range<SystemTime>,
    ) -> Result<Self, IssueError> {
        let subject_key_id = key.public_key().subject_key_id();
        Ok(Self {
            id: hex::encode(subject_key_id),
            name: tbs::subject_of(certificate)?,
            authority_key_id: profile::authority_key_id(&subject_key_id),
            validity,
            key,
        })
    }

    /// The authority ID: the subject key identifier in lower-case hex.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// When the authority expires; nothing it signs lives longer.
    pub(crate) fn not_after(&self) -> SystemTime {
        self.validity.end
    }

    /// Signs an X.509-SVID (X509-SVID §2 to §4) that ends with its TTL or with this authority, whichever is first. Nor
    /// does it start before this authority, which after the clock went back may be later than now.
    ///
    /// # Errors
    /// [`IssueError::Expiring`], and those of the key.
    pub(crate) async fn issue(
        &self,
        request: &X509Request<'_>,
        public_key: &PublicKey,
        now: SystemTime,
    ) -> Result<X509Svid, IssueError> {
        let not_after = lifetime_end(AuthorityKind::X509, &self.id, self.not_after(), request.ttl, now)?;
        let subject = match request.subject {
            Some(name) => name.to_vec(),
            None => profile::svid_name(request.dns_names)?,
        };
        let extensions = profile::svid_extensions(request, public_key, &self.authority_key_id)?;
        let template = Template {
            serial: random::serial_number()?,
            issuer: &self.name,
            not_before: self.validity.start.max(now - BACKDATE),
            not_after,
            subject: &subject,
            public_key,
            extensions,
        };
        let certificate = tbs::sign(template, &*self.key).await?;
        Ok(X509Svid::from_chain(vec![CertificateDer::from(certificate)])?)
    }
}

/// When a document with this TTL ends, if its authority has enough left to sign it.
///
/// # Errors
/// [`IssueError::Expiring`].
pub(crate) fn lifetime_end(
    kind: AuthorityKind,
    id: &str,
    authority_end: SystemTime,
    ttl: Duration,
    now: SystemTime,
) -> Result<SystemTime, IssueError> {
    let left = authority_end.duration_since(now).unwrap_or_default();
    if left < ttl.min(MIN_LEFT) || left.is_zero() {
        return Err(IssueError::Expiring { kind, id: id.to_owned(), left, command: kind.command() });
    }
    Ok(now + ttl.min(left))
}

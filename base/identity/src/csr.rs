//! Certificate requests (PKCS#10, RFC 2986): a public key, and the proof that its owner asks.

use crate::{EntryError, KeyError, KeyKind, PrivateKey, PublicKey, SpiffeId, SpiffeIdError, entry};

mod create;
mod parse;
#[cfg(test)]
mod tests;

/// A certificate request whose proof of possession was verified.
///
/// Nothing in it but the public key has any authority: the identity comes from the entry. Only where an operator mints
/// does it speak for itself: [`identity`](Self::identity).
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    public_key: PublicKey,
    subject: Vec<u8>,
    uri_names: Vec<String>,
    dns_names: Vec<String>,
}

impl CertificateRequest {
    /// The largest request read, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Parses a DER request and verifies that it is signed by the key it holds.
    ///
    /// # Errors
    /// [`CsrError`] when it is too large, malformed, not signed by its own key, or has more than one URI name.
    pub fn parse_der(der: &[u8]) -> Result<Self, CsrError> {
        parse::request(der)
    }

    /// Makes a DER request for the key, with subject `C=US, O=SPIRE` and, if given, the ID as a URI name.
    ///
    /// # Errors
    /// [`CsrError::Sign`] when signing fails.
    pub fn create(key: &PrivateKey, id: Option<&SpiffeId>) -> Result<Vec<u8>, CsrError> {
        create::request(key, id)
    }

    /// Makes a DER request for an identity and DNS names, whose subject is left to the server: for an operator to mint.
    ///
    /// # Errors
    /// [`CsrError::Encode`] when a name is not ASCII, [`CsrError::Sign`] when signing fails.
    pub fn create_to_mint(
        key: &PrivateKey,
        id: &SpiffeId,
        dns_names: &[impl AsRef<str>],
    ) -> Result<Vec<u8>, CsrError> {
        create::request_to_mint(key, id, dns_names)
    }

    /// The identity asked for, where the request speaks for itself: its one URI name. Its DNS names are checked too, as
    /// those of an entry are.
    ///
    /// # Errors
    /// [`CsrError::NoUriName`], [`CsrError::SpiffeId`] or [`CsrError::DnsName`].
    pub fn identity(&self) -> Result<SpiffeId, CsrError> {
        let name = self.uri_names.first().ok_or(CsrError::NoUriName)?;
        let id = SpiffeId::parse(name).map_err(CsrError::SpiffeId)?;
        self.dns_names.iter().try_for_each(|name| entry::check_dns_name(name)).map_err(CsrError::DnsName)?;
        Ok(id)
    }

    /// The key to be certified.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The subject asked for, a DER Name.
    pub fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// Whether a subject is asked for at all.
    pub fn has_subject(&self) -> bool {
        self.subject != EMPTY_NAME
    }

    /// The URI names asked for: none or one, of any scheme.
    pub fn uri_names(&self) -> &[String] {
        &self.uri_names
    }

    /// The DNS names asked for.
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }
}

/// A Name without any part, in DER.
const EMPTY_NAME: [u8; 2] = [0x30, 0x00];

/// Why a certificate request is refused, or cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CsrError {
    /// It is larger than [`CertificateRequest::MAX_BYTES`]; holds the size.
    #[error("certificate request is {0} bytes; at most 16384 are allowed")]
    TooLarge(usize),
    /// It is no DER PKCS#10 request.
    #[error("certificate request is malformed")]
    Malformed(#[source] der::Error),
    /// Its public key cannot be used.
    #[error("certificate request has an unusable public key")]
    PublicKey(#[source] KeyError),
    /// It is signed with an algorithm that does not fit its key.
    #[error(
        "certificate request is signed with algorithm {algorithm}, which does not fit its key of kind {kind:?}"
    )]
    Algorithm {
        /// The algorithm's OID.
        algorithm: der::oid::ObjectIdentifier,
        /// What kind of key it has.
        kind: KeyKind,
    },
    /// The signature is not by the key in the request.
    #[error("certificate request is not signed by the key it holds")]
    Signature,
    /// It names more than one URI; holds how many.
    #[error("certificate request has {0} uri names; at most one is allowed")]
    UriNames(usize),
    /// It speaks for itself, and names no URI.
    #[error("CSR URI SAN is required")]
    NoUriName,
    /// It speaks for itself, and its URI name is no SPIFFE ID.
    #[error("CSR URI SAN is not a valid SPIFFE ID")]
    SpiffeId(#[source] SpiffeIdError),
    /// It speaks for itself, and one of its DNS names is malformed.
    #[error("CSR DNS name is not valid")]
    DnsName(#[source] EntryError),
    /// A request could not be encoded.
    #[error("certificate request cannot be encoded")]
    Encode(#[source] der::Error),
    /// A request could not be signed.
    #[error("certificate request cannot be signed")]
    Sign(#[source] KeyError),
}

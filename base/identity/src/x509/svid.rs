//! The X.509-SVID document: a chain of certificates, leaf first.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use webpki::EndEntityCert;

use super::{
    certificate::{CertificateError, CertificateView, split_der},
    leaf,
};
use crate::{PublicKey, SpiffeId, X509Error, pem};

/// How far the clocks of an agent and its server may be apart: so far ahead may the start of what the one shows be by the
/// clock of the other. What ends has ended by either clock.
pub const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// A chain of certificates, leaf first, whose leaf meets the rules of an X.509-SVID. Cloning is cheap.
///
/// That it parses says nothing about who signed it: see [`X509Svid::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct X509Svid(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    id: SpiffeId,
    chain: Vec<CertificateDer<'static>>,
    /// The certificates above the leaf that may sign others; no path goes through the rest.
    signers: Vec<CertificateDer<'static>>,
    not_before: SystemTime,
    not_after: SystemTime,
    serial_number: String,
    public_key: PublicKey,
}

impl X509Svid {
    /// The longest chain, leaf included.
    pub const MAX_CHAIN: usize = 16;

    /// Parses concatenated DER certificates, leaf first, as the Workload API has them.
    ///
    /// # Errors
    /// [`X509Error`] when a certificate is malformed or the leaf breaks a rule.
    pub fn parse_der(der: &[u8]) -> Result<Self, X509Error> {
        Self::from_chain(split_der(der).map_err(X509Error::Certificate)?)
    }

    /// Takes a chain, leaf first. Path validation tries what follows the leaf in any order.
    ///
    /// # Errors
    /// [`X509Error`] when a certificate is malformed or the leaf breaks a rule.
    pub fn from_chain(chain: Vec<CertificateDer<'static>>) -> Result<Self, X509Error> {
        let (leaf_der, above) = chain.split_first().ok_or(X509Error::NoCertificates)?;
        if chain.len() > Self::MAX_CHAIN {
            return Err(X509Error::ChainTooLong(chain.len()));
        }
        let leaf = CertificateView::parse(leaf_der).map_err(X509Error::Certificate)?;
        EndEntityCert::try_from(leaf_der)
            .map_err(|error| X509Error::Certificate(CertificateError::Unusable(error)))?;
        let id = leaf::check(&leaf)?;
        let signers = signers(above).map_err(X509Error::Certificate)?;
        Ok(Self(Arc::new(Inner {
            id,
            signers,
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            serial_number: decimal(&leaf.serial_number),
            public_key: PublicKey::from_spki_der(&leaf.spki).map_err(X509Error::PublicKey)?,
            chain,
        })))
    }

    /// Parses PEM certificates, leaf first; other PEM sections are passed over.
    ///
    /// # Errors
    /// [`X509Error`] when a certificate is malformed or the leaf breaks a rule.
    pub fn parse_pem(text: &[u8]) -> Result<Self, X509Error> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
        Self::from_chain(chain.map_err(X509Error::Pem)?)
    }

    /// The SPIFFE ID of the leaf. It is whoever signed that says so, until the SVID is verified.
    pub fn id(&self) -> &SpiffeId {
        &self.0.id
    }

    /// The certificates, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// The leaf.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.0.chain[0]
    }

    pub(super) fn signers(&self) -> &[CertificateDer<'static>] {
        &self.0.signers
    }

    /// The certificates, leaf first, concatenated.
    pub fn chain_der(&self) -> Vec<u8> {
        self.0.chain.iter().flat_map(|certificate| certificate.iter().copied()).collect()
    }

    /// The start of the leaf's validity.
    pub fn not_before(&self) -> SystemTime {
        self.0.not_before
    }

    /// The end of the leaf's validity, inclusive.
    pub fn not_after(&self) -> SystemTime {
        self.0.not_after
    }

    /// The instant by which to judge it at `now`, by a clock that may be up to `skew` behind its issuer's: the start of
    /// its validity, when that is no further ahead, else `now`. It is never before `now`, so that nothing counts for
    /// longer by it.
    pub fn instant_within(&self, now: SystemTime, skew: Duration) -> SystemTime {
        if self.not_before() <= now + skew { now.max(self.not_before()) } else { now }
    }

    /// The leaf's serial number, in decimal.
    pub fn serial_number(&self) -> &str {
        &self.0.serial_number
    }

    /// The leaf's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The certificates as PEM, leaf first.
    pub fn to_pem(&self) -> String {
        self.0.chain.iter().map(|certificate| pem::certificate(certificate)).collect()
    }
}

impl fmt::Debug for X509Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "X509Svid({}, serial {})", self.0.id, self.0.serial_number)
    }
}

/// The certificates that paths may go through. One that path validation cannot use, or that may not sign, is passed
/// over: another path may do without it.
pub(super) fn signers(
    certificates: &[CertificateDer<'static>],
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let mut signers = Vec::new();
    for certificate in certificates {
        if CertificateView::parse(certificate)?.may_sign() && EndEntityCert::try_from(certificate).is_ok() {
            signers.push(certificate.clone());
        }
    }
    Ok(signers)
}

/// A big-endian number in decimal. A negative one, which no issuer may give out, reads as the positive number of the
/// same bits.
fn decimal(big_endian: &[u8]) -> String {
    const LIMB: u64 = 1_000_000_000;
    let mut limbs = vec![0_u64];
    for byte in big_endian {
        let mut carry = u64::from(*byte);
        for limb in &mut limbs {
            let value = *limb * 256 + carry;
            *limb = value % LIMB;
            carry = value / LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut limbs = limbs.iter().rev();
    let first = limbs.next().map(u64::to_string).unwrap_or_default();
    limbs.fold(first, |text, limb| format!("{text}{limb:09}"))
}

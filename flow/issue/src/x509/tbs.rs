//! The bytes of a certificate: what is to be signed, and the signature put beside it.

use std::time::SystemTime;

use der::asn1::{BitStringRef, ObjectIdentifier, OctetString};
use der::{AnyRef, Decode, Encode, Sequence};
use finial_identity::{KeyKind, PublicKey};
use finial_keys::Key;
use spki::AlgorithmIdentifierRef;
use x509_cert::time::{Time, Validity};

use crate::IssueError;

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

/// X.509 version 3.
const V3: u8 = 2;

/// Everything a certificate says but who signs it how.
#[derive(Debug)]
pub(super) struct Template<'a> {
    pub(super) serial: u128,
    /// A name, in DER, as it is in the issuer's certificate.
    pub(super) issuer: &'a [u8],
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
    /// A name, in DER.
    pub(super) subject: &'a [u8],
    pub(super) public_key: &'a PublicKey,
    pub(super) extensions: Vec<Extension>,
}

/// Signs a certificate with an authority's key, wherever that key lives.
///
/// # Errors
/// Those of the key, or a value that does not fit into a certificate.
pub(super) async fn sign(template: Template<'_>, key: &dyn Key) -> Result<Vec<u8>, IssueError> {
    let algorithm = signature_algorithm(key.public_key().kind())?;
    let tbs = TbsCertificate {
        version: V3,
        serial_number: template.serial,
        signature: algorithm,
        issuer: AnyRef::from_der(template.issuer)?,
        validity: Validity::new(time(template.not_before)?, time(template.not_after)?),
        subject: AnyRef::from_der(template.subject)?,
        public_key: AnyRef::from_der(template.public_key.spki_der())?,
        extensions: template.extensions,
    }
    .to_der()?;
    let signature = key.sign(&tbs).await?;
    let certificate = Certificate {
        tbs: AnyRef::from_der(&tbs)?,
        algorithm,
        signature: BitStringRef::from_bytes(&signature)?,
    };
    Ok(certificate.to_der()?)
}

/// The subject of a certificate, in DER: the issuer of what its key signs.
///
/// # Errors
/// When it is no certificate of the kind made here.
pub(super) fn subject_of(certificate: &[u8]) -> Result<Vec<u8>, IssueError> {
    let tbs = Certificate::from_der(certificate)?.tbs.to_der()?;
    Ok(TbsCertificate::from_der(&tbs)?.subject.to_der()?)
}

/// Without parameters for ECDSA (RFC 5758 §3.2), and with a NULL for RSA (RFC 4055 §5).
fn signature_algorithm(kind: KeyKind) -> Result<AlgorithmIdentifierRef<'static>, IssueError> {
    let (oid, parameters) = match kind {
        KeyKind::EcP256 => (ECDSA_WITH_SHA256, None),
        KeyKind::EcP384 => (ECDSA_WITH_SHA384, None),
        KeyKind::Rsa { .. } => (SHA256_WITH_RSA, Some(AnyRef::NULL)),
        kind => return Err(IssueError::AuthorityKey { key: "ca_key_type", kind }),
    };
    Ok(AlgorithmIdentifierRef { oid, parameters })
}

/// UTCTime until 2049 and GeneralizedTime from 2050 (RFC 5280 §4.1.2.5), in whole seconds.
fn time(instant: SystemTime) -> Result<Time, IssueError> {
    Ok(Time::try_from(instant)?)
}

/// `Extension` of RFC 5280 §4.1.
#[derive(Debug, Sequence)]
pub(super) struct Extension {
    id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: OctetString,
}

impl Extension {
    pub(super) fn new(id: ObjectIdentifier, value: impl Into<Vec<u8>>) -> Result<Self, IssueError> {
        Ok(Self { id, critical: false, value: OctetString::new(value.into())? })
    }

    pub(super) fn critical(id: ObjectIdentifier, value: impl Into<Vec<u8>>) -> Result<Self, IssueError> {
        Ok(Self { critical: true, ..Self::new(id, value)? })
    }
}

/// `TBSCertificate` of RFC 5280 §4.1, with names and public key left as the bytes they came in: nothing is encoded
/// anew that a peer will compare byte for byte.
#[derive(Sequence)]
struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial_number: u128,
    signature: AlgorithmIdentifierRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    public_key: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// `Certificate` of RFC 5280 §4.1.
#[derive(Sequence)]
struct Certificate<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

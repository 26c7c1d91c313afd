//! The boxes inside a PKCS#12 file: a MAC over all, then contents, encrypted or not, of bags (RFC 7292 §4).

#[cfg(test)]
mod tests;

use aws_lc_rs::hmac;
use der::{
    Any, Decode, Encode, Sequence, ValueOrd,
    asn1::{ContextSpecific, ObjectIdentifier, OctetString, SetOfVec},
    oid::db::rfc5912,
};
use rustls_pki_types::CertificateDer;
use x509_cert::{attr::Attribute, spki::AlgorithmIdentifierOwned};
use zeroize::Zeroizing;

use super::{
    KeystoreError,
    decrypt::{self, check_iterations},
    kdf::{Hash, Purpose, Secret, derive},
};

pub(super) const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
pub(super) const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
pub(super) const SHROUDED_KEY_BAG: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
pub(super) const CERTIFICATE_BAG: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
pub(super) const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");

/// What was found, of the kinds that count.
#[derive(Default)]
pub(super) struct Bags {
    /// PKCS#8.
    pub(super) keys: Vec<Zeroizing<Vec<u8>>>,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

#[derive(Sequence)]
pub(super) struct Pfx {
    pub(super) version: u8,
    pub(super) content: ContentInfo,
    pub(super) mac: Option<MacData>,
}

#[derive(Sequence)]
pub(super) struct ContentInfo {
    pub(super) kind: ObjectIdentifier,
    pub(super) content: ContextSpecific<Any>,
}

#[derive(Sequence)]
pub(super) struct MacData {
    pub(super) mac: DigestInfo,
    pub(super) salt: OctetString,
    #[asn1(default = "once")]
    pub(super) iterations: u32,
}

#[derive(Sequence)]
pub(super) struct DigestInfo {
    pub(super) algorithm: AlgorithmIdentifierOwned,
    pub(super) digest: OctetString,
}

#[derive(Sequence)]
pub(super) struct EncryptedData {
    pub(super) version: u8,
    pub(super) content: EncryptedContent,
}

#[derive(Sequence)]
pub(super) struct EncryptedContent {
    pub(super) kind: ObjectIdentifier,
    pub(super) algorithm: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    pub(super) content: OctetString,
}

#[derive(Sequence)]
pub(super) struct EncryptedKey {
    pub(super) algorithm: AlgorithmIdentifierOwned,
    pub(super) content: OctetString,
}

#[derive(Sequence)]
pub(super) struct Bag {
    pub(super) kind: ObjectIdentifier,
    pub(super) value: ContextSpecific<Any>,
    pub(super) attributes: Option<SetOfVec<Attribute>>,
}

#[derive(Sequence, ValueOrd)]
pub(super) struct CertificateBag {
    pub(super) kind: ObjectIdentifier,
    pub(super) value: ContextSpecific<OctetString>,
}

fn once() -> u32 {
    1
}

pub(super) fn open(der: &[u8], password: &str) -> Result<Bags, KeystoreError> {
    let pfx = Pfx::from_der(der).map_err(KeystoreError::Der)?;
    let safe = data(&pfx.content)?;
    let mac = pfx.mac.as_ref().ok_or(KeystoreError::NoMac)?;
    // An empty password is written in two ways.
    let mut secrets = Secret::forms(password).into_iter();
    let secret = secrets.find_map(|secret| match is_sealed(mac, safe.as_bytes(), &secret) {
        Ok(true) => Some(Ok(secret)),
        Ok(false) => None,
        Err(error) => Some(Err(error)),
    });
    let secret = secret.ok_or(KeystoreError::Password)??;
    let mut bags = Bags::default();
    for content in Vec::<ContentInfo>::from_der(safe.as_bytes()).map_err(KeystoreError::Der)? {
        match content.kind {
            DATA => bags.take(data(&content)?.as_bytes(), &secret)?,
            ENCRYPTED_DATA => {
                let encrypted: EncryptedData =
                    content.content.value.decode_as().map_err(KeystoreError::Der)?;
                let EncryptedContent { algorithm, content, .. } = encrypted.content;
                bags.take(&decrypt::decrypt(&algorithm, content.as_bytes(), &secret)?, &secret)?;
            }
            other => return Err(KeystoreError::Protection(other)),
        }
    }
    Ok(bags)
}

impl Bags {
    fn take(&mut self, contents: &[u8], secret: &Secret) -> Result<(), KeystoreError> {
        for bag in Vec::<Bag>::from_der(contents).map_err(KeystoreError::Der)? {
            let value = &bag.value.value;
            match bag.kind {
                KEY_BAG => {
                    self.keys.push(Zeroizing::new(value.to_der().map_err(KeystoreError::Der)?));
                }
                SHROUDED_KEY_BAG => {
                    let key: EncryptedKey = value.decode_as().map_err(KeystoreError::Der)?;
                    self.keys.push(decrypt::decrypt(&key.algorithm, key.content.as_bytes(), secret)?);
                }
                CERTIFICATE_BAG => {
                    let bag: CertificateBag = value.decode_as().map_err(KeystoreError::Der)?;
                    if bag.kind == X509_CERTIFICATE {
                        self.certificates.push(bag.value.value.as_bytes().to_vec().into());
                    }
                }
                // Lists, secrets and boxes in boxes are nothing that is presented.
                _ => {}
            }
        }
        Ok(())
    }
}

fn data(content: &ContentInfo) -> Result<OctetString, KeystoreError> {
    if content.kind != DATA {
        return Err(KeystoreError::Protection(content.kind));
    }
    content.content.value.decode_as().map_err(KeystoreError::Der)
}

fn is_sealed(mac: &MacData, safe: &[u8], secret: &Secret) -> Result<bool, KeystoreError> {
    let (hash, algorithm) = match mac.mac.algorithm.oid {
        SHA1 => (Hash::Sha1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        rfc5912::ID_SHA_256 => (Hash::Sha256, hmac::HMAC_SHA256),
        rfc5912::ID_SHA_384 => (Hash::Sha384, hmac::HMAC_SHA384),
        rfc5912::ID_SHA_512 => (Hash::Sha512, hmac::HMAC_SHA512),
        other => return Err(KeystoreError::Protection(other)),
    };
    check_iterations(mac.iterations)?;
    let key = derive(hash, Purpose::Mac, secret, (mac.salt.as_bytes(), mac.iterations), hash.length());
    let key = hmac::Key::new(algorithm, &key);
    Ok(hmac::verify(&key, safe, mac.mac.digest.as_bytes()).is_ok())
}

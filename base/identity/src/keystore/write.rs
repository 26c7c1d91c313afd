//! Writing keystores: PBES2 with AES-256 over the contents, and an HMAC-SHA-256 over all (RFC 7292, RFC 8018).

use aws_lc_rs::{
    cipher::{AES_256, DecryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey},
    hmac, rand,
};
use der::{
    Any, Decode, Encode, TagMode, TagNumber,
    asn1::{BmpString, ContextSpecific, Null, ObjectIdentifier, OctetString, SetOfVec},
    oid::db::rfc5912,
};
use rustls_pki_types::CertificateDer;
use x509_cert::{attr::Attribute, spki::AlgorithmIdentifierOwned};
use zeroize::Zeroizing;

use super::{
    Keystore, KeystoreError, Truststore,
    decrypt::{AES_256_CBC, HMAC_SHA256, PBES2, PBKDF2, Pbes2, Pbkdf2, stretch},
    kdf::{Hash, Purpose, Secret, derive},
    pfx::{
        Bag, CERTIFICATE_BAG, CertificateBag, ContentInfo, DATA, DigestInfo, ENCRYPTED_DATA,
        EncryptedContent, EncryptedData, EncryptedKey, MacData, Pfx, SHROUDED_KEY_BAG, X509_CERTIFICATE,
    },
};

/// As OpenSSL has it: whoever writes a keystore for a program of the same machine keeps the password in a file
/// beside it, and more would only make each rotation cost more.
const ITERATIONS: u32 = 2048;
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
/// Java's mark on a certificate that it is to trust; without it, Java sees none.
const TRUSTED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113894.746875.1.1");
const ANY_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// What readers call the one key of a keystore.
const ALIAS: &str = "svid";
/// Ties the key to its certificate.
const KEY_ID: &[u8] = &[1];

impl Keystore {
    /// Writes the keystore in DER, so that OpenSSL 1.1, Java 8u301 and later can open it. The key is called `svid`.
    /// Two writings of one keystore differ, as their salts do.
    ///
    /// # Errors
    /// [`KeystoreError::Seal`] when the cryptographic library fails.
    pub fn seal(&self, password: &str) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        let secret = secret(password);
        let own =
            || Ok(vec![text(FRIENDLY_NAME, ALIAS)?, attribute(LOCAL_KEY_ID, &OctetString::new(KEY_ID)?)?]);
        let mut certificates = Vec::new();
        for (index, certificate) in self.chain.iter().enumerate() {
            let attributes = if index == 0 { own().map_err(seal)? } else { Vec::new() };
            certificates.push(certificate_bag(certificate, attributes).map_err(seal)?);
        }
        let (algorithm, content) = encrypt(self.key.pkcs8_der(), &secret)?;
        let shrouded = EncryptedKey { algorithm, content: OctetString::new(content).map_err(seal)? };
        let key = own().and_then(|own| bag(SHROUDED_KEY_BAG, any(&shrouded)?, own)).map_err(seal)?;
        close(&vec![encrypted(&certificates, &secret)?, plain(&vec![key]).map_err(seal)?], &secret)
    }
}

impl Truststore {
    /// Writes the truststore in DER, as [`Keystore::seal`] does.
    ///
    /// # Errors
    /// [`KeystoreError::Seal`] when the cryptographic library fails.
    pub fn seal(&self, password: &str) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        let secret = secret(password);
        let mut bags = Vec::new();
        for (name, certificate) in &self.certificates {
            let trusted = attribute(TRUSTED_KEY_USAGE, &ANY_EXTENDED_KEY_USAGE).map_err(seal)?;
            let attributes = vec![text(FRIENDLY_NAME, name).map_err(seal)?, trusted];
            bags.push(certificate_bag(certificate, attributes).map_err(seal)?);
        }
        close(&vec![encrypted(&bags, &secret)?], &secret)
    }
}

/// The frame around all contents, with the MAC over them.
fn close(contents: &Vec<ContentInfo>, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let safe = contents.to_der().map_err(seal)?;
    let salt = random::<SALT_BYTES>()?;
    let key = derive(Hash::Sha256, Purpose::Mac, secret, (&salt, ITERATIONS), Hash::Sha256.length());
    let digest = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &safe);
    let pfx = || {
        let algorithm = algorithm(rfc5912::ID_SHA_256, &Null)?;
        let mac = DigestInfo { algorithm, digest: OctetString::new(digest.as_ref())? };
        let mac = MacData { mac, salt: OctetString::new(salt)?, iterations: ITERATIONS };
        Pfx { version: 3, content: data(safe)?, mac: Some(mac) }.to_der()
    };
    pfx().map(Zeroizing::new).map_err(seal)
}

/// Bags that only the password opens.
fn encrypted(bags: &Vec<Bag>, secret: &Secret) -> Result<ContentInfo, KeystoreError> {
    let (algorithm, content) = encrypt(&bags.to_der().map_err(seal)?, secret)?;
    let content = OctetString::new(content).map_err(seal)?;
    let content = EncryptedContent { kind: DATA, algorithm, content };
    let content = any(&EncryptedData { version: 0, content }).map_err(seal)?;
    Ok(ContentInfo { kind: ENCRYPTED_DATA, content: tagged(content) })
}

/// Bags that are encrypted themselves.
fn plain(bags: &Vec<Bag>) -> Result<ContentInfo, der::Error> {
    data(bags.to_der()?)
}

fn data(content: Vec<u8>) -> Result<ContentInfo, der::Error> {
    Ok(ContentInfo { kind: DATA, content: tagged(any(&OctetString::new(content)?)?) })
}

fn certificate_bag(certificate: &CertificateDer<'_>, attributes: Vec<Attribute>) -> Result<Bag, der::Error> {
    let value = tagged(OctetString::new(certificate.as_ref())?);
    bag(CERTIFICATE_BAG, any(&CertificateBag { kind: X509_CERTIFICATE, value })?, attributes)
}

fn bag(kind: ObjectIdentifier, value: Any, attributes: Vec<Attribute>) -> Result<Bag, der::Error> {
    let attributes = if attributes.is_empty() { None } else { Some(SetOfVec::try_from(attributes)?) };
    Ok(Bag { kind, value: tagged(value), attributes })
}

fn text(oid: ObjectIdentifier, value: &str) -> Result<Attribute, der::Error> {
    attribute(oid, &BmpString::from_utf8(value)?)
}

fn attribute(oid: ObjectIdentifier, value: &impl Encode) -> Result<Attribute, der::Error> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![any(value)?])? })
}

/// PBES2, with the parameters that its reader needs.
fn encrypt(plain: &[u8], secret: &Secret) -> Result<(AlgorithmIdentifierOwned, Vec<u8>), KeystoreError> {
    let salt = random::<SALT_BYTES>()?;
    let derivation = || {
        Ok(Pbkdf2 {
            salt: OctetString::new(salt)?,
            iterations: ITERATIONS,
            key_length: None,
            prf: Some(algorithm(HMAC_SHA256, &Null)?),
        })
    };
    let derivation = derivation().map_err(seal)?;
    let key = stretch(&derivation, KEY_BYTES, secret)?;
    let key = UnboundCipherKey::new(&AES_256, &key).and_then(PaddedBlockEncryptingKey::cbc_pkcs7);
    let mut content = plain.to_vec();
    let context = key.and_then(|key| key.encrypt(&mut content)).map_err(|_| KeystoreError::Seal(None))?;
    let DecryptionContext::Iv128(vector) = context else { return Err(KeystoreError::Seal(None)) };
    let parameters = || {
        let derivation = algorithm(PBKDF2, &derivation)?;
        let encryption = algorithm(AES_256_CBC, &OctetString::new(vector.as_ref().as_slice())?)?;
        algorithm(PBES2, &Pbes2 { derivation, encryption })
    };
    Ok((parameters().map_err(seal)?, content))
}

fn algorithm(
    oid: ObjectIdentifier,
    parameters: &impl Encode,
) -> Result<AlgorithmIdentifierOwned, der::Error> {
    Ok(AlgorithmIdentifierOwned { oid, parameters: Some(any(parameters)?) })
}

fn any(value: &impl Encode) -> Result<Any, der::Error> {
    Any::from_der(&value.to_der()?)
}

fn tagged<T>(value: T) -> ContextSpecific<T> {
    ContextSpecific { tag_number: TagNumber(0), tag_mode: TagMode::Explicit, value }
}

/// In the form that writers use.
fn secret(password: &str) -> Secret {
    Secret::forms(password).swap_remove(0)
}

fn random<const N: usize>() -> Result<[u8; N], KeystoreError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| KeystoreError::Seal(None))?;
    Ok(bytes)
}

fn seal(error: der::Error) -> KeystoreError {
    KeystoreError::Seal(Some(error))
}

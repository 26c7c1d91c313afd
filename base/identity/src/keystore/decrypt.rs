//! Taking the encryption off: PBES2 (RFC 8018), and the ciphers of old keystores (RFC 7292, appendix C).

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{
        AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
    },
    iv::FixedLength,
    pbkdf2,
};
use cbc::{
    Decryptor,
    cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit, KeyIvInit, block_padding::Pkcs7},
};
use der::{
    DecodeValue, FixedTag, Sequence,
    asn1::{ObjectIdentifier, OctetString},
};
use des::{TdesEde2, TdesEde3};
use rc2::Rc2;
use x509_cert::spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::{
    KeystoreError,
    kdf::{Hash, Purpose, Secret, derive},
};

const MOST_ITERATIONS: u32 = 5_000_000;

pub(super) const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
pub(super) const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const HMAC_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
pub(super) const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");
const AES_128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
pub(super) const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
const SHA1_3DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const SHA1_2DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.4");
const SHA1_RC2_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.5");
const SHA1_RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");

#[derive(Sequence)]
pub(super) struct Pbes2 {
    pub(super) derivation: AlgorithmIdentifierOwned,
    pub(super) encryption: AlgorithmIdentifierOwned,
}

#[derive(Sequence)]
pub(super) struct Pbkdf2 {
    pub(super) salt: OctetString,
    pub(super) iterations: u32,
    pub(super) key_length: Option<u16>,
    pub(super) prf: Option<AlgorithmIdentifierOwned>,
}

/// Of the old ciphers.
#[derive(Sequence)]
struct Pkcs12Pbe {
    salt: OctetString,
    iterations: u32,
}

/// What it gives is right only if the MAC was.
pub(super) fn decrypt(
    algorithm: &AlgorithmIdentifierOwned,
    content: &[u8],
    secret: &Secret,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    if algorithm.oid == PBES2 {
        return decrypt_pbes2(&parameters(algorithm)?, content, secret);
    }
    let key_length = match algorithm.oid {
        SHA1_3DES => 24,
        SHA1_2DES | SHA1_RC2_128 => 16,
        SHA1_RC2_40 => 5,
        other => return Err(KeystoreError::Protection(other)),
    };
    let Pkcs12Pbe { salt, iterations } = parameters(algorithm)?;
    check_iterations(iterations)?;
    let make = |purpose, length| derive(Hash::Sha1, purpose, secret, (salt.as_bytes(), iterations), length);
    let (key, vector) = (make(Purpose::Key, key_length), make(Purpose::Vector, 8));
    match algorithm.oid {
        SHA1_3DES => unchain::<TdesEde3>(&key, &vector, content),
        SHA1_2DES => unchain::<TdesEde2>(&key, &vector, content),
        _ => unchain::<Rc2>(&key, &vector, content),
    }
}

fn decrypt_pbes2(
    parameters: &Pbes2,
    content: &[u8],
    secret: &Secret,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let Pbes2 { derivation, encryption } = parameters;
    let cipher = match encryption.oid {
        AES_128_CBC => &AES_128,
        AES_192_CBC => &AES_192,
        AES_256_CBC => &AES_256,
        other => return Err(KeystoreError::Protection(other)),
    };
    if derivation.oid != PBKDF2 {
        return Err(KeystoreError::Protection(derivation.oid));
    }
    let key = stretch(&self::parameters(derivation)?, key_length(cipher), secret)?;
    let vector: OctetString = self::parameters(encryption)?;
    let vector = <[u8; 16]>::try_from(vector.as_bytes()).map_err(|_| KeystoreError::Password)?;
    let key = UnboundCipherKey::new(cipher, &key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7);
    let mut content = Zeroizing::new(content.to_vec());
    let context = DecryptionContext::Iv128(FixedLength::from(&vector));
    let length = key
        .and_then(|key| key.decrypt(&mut content, context).map(|plain| plain.len()))
        .map_err(|_| KeystoreError::Password)?;
    content.truncate(length);
    Ok(content)
}

fn key_length(cipher: &Algorithm) -> usize {
    match cipher {
        cipher if *cipher == AES_128 => 16,
        cipher if *cipher == AES_192 => 24,
        _ => 32,
    }
}

/// A key of so many bytes.
pub(super) fn stretch(
    parameters: &Pbkdf2,
    length: usize,
    secret: &Secret,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let algorithm = match parameters.prf.as_ref().map_or(HMAC_SHA1, |prf| prf.oid) {
        HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
        HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
        HMAC_SHA384 => pbkdf2::PBKDF2_HMAC_SHA384,
        HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
        other => return Err(KeystoreError::Protection(other)),
    };
    check_iterations(parameters.iterations)?;
    let iterations = NonZeroU32::new(parameters.iterations).unwrap_or(NonZeroU32::MIN);
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(algorithm, iterations, parameters.salt.as_bytes(), &secret.narrow, &mut key);
    Ok(key)
}

/// Of the old ciphers, which the cryptographic library does not offer: they open files, and protect nothing here.
fn unchain<C>(key: &[u8], vector: &[u8], content: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeystoreError>
where
    C: BlockCipherDecrypt + KeyInit,
    Decryptor<C>: InnerIvInit<Inner = C> + BlockModeDecrypt,
{
    let mut content = Zeroizing::new(content.to_vec());
    let decryptor =
        <Decryptor<C> as KeyIvInit>::new_from_slices(key, vector).map_err(|_| KeystoreError::Password)?;
    let plain = decryptor.decrypt_padded::<Pkcs7>(&mut content).map_err(|_| KeystoreError::Password)?;
    let length = plain.len();
    content.truncate(length);
    Ok(content)
}

fn parameters<T>(algorithm: &AlgorithmIdentifierOwned) -> Result<T, KeystoreError>
where
    T: for<'a> DecodeValue<'a, Error = der::Error> + FixedTag,
{
    let absent = || KeystoreError::Der(der::Error::from(der::ErrorKind::Failed));
    algorithm.parameters.as_ref().ok_or_else(absent)?.decode_as().map_err(KeystoreError::Der)
}

pub(super) fn check_iterations(iterations: u32) -> Result<(), KeystoreError> {
    if iterations > MOST_ITERATIONS { Err(KeystoreError::Iterations(iterations)) } else { Ok(()) }
}

//! The text of `keys.json`: `{"keys": {"<id>": base64(PKCS#8 DER)}}`, as SPIRE writes it, and a digest of our own.
//!
//! SPIRE passes over the digest when it reads our file, and we do without when we read SPIRE's. With it, every changed
//! byte is found, in the ids too.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use finial_identity::PrivateKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Key;
use crate::local::{Generation, LocalKey};

type EncodedKeys = BTreeMap<String, Zeroizing<String>>;

#[derive(Serialize, Deserialize)]
struct Document {
    keys: EncodedKeys,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// What is wrong with the text. Never quotes it: it may hold keys.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormatError {
    #[error("it is not the JSON form of keys, see line {line}, column {column}")]
    Json { line: usize, column: usize },
    #[error("its digest does not match its keys")]
    Digest,
    #[error("key `{id}` is not base64 of a PKCS#8 private key (EC, RSA of 2048 bits or more, or Ed25519)")]
    Key { id: String },
}

pub(super) fn encode(generation: &Generation) -> Zeroizing<Vec<u8>> {
    let keys: EncodedKeys = generation
        .values()
        .map(|held| (held.id().to_owned(), Zeroizing::new(STANDARD.encode(held.key().pkcs8_der()))))
        .collect();
    let sha256 = Some(digest_of(&keys));
    to_json(&Document { keys, sha256 })
}

pub(super) fn decode(text: &[u8]) -> Result<Generation, FormatError> {
    let document: Document = serde_json::from_slice(text)
        .map_err(|error| FormatError::Json { line: error.line(), column: error.column() })?;
    if document.sha256.is_some_and(|digest| digest != digest_of(&document.keys)) {
        return Err(FormatError::Digest);
    }
    document.keys.iter().map(|(id, key)| Ok((id.clone(), Arc::new(decode_key(id, key)?)))).collect()
}

fn decode_key(id: &str, encoded: &str) -> Result<LocalKey, FormatError> {
    let damaged = || FormatError::Key { id: id.to_owned() };
    let der = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| damaged())?);
    let key = PrivateKey::from_pkcs8_der(&der).map_err(|_| damaged())?;
    Ok(LocalKey::new(id, key))
}

fn digest_of(keys: &EncodedKeys) -> String {
    hex::encode(digest::digest(&digest::SHA256, &to_json(keys)))
}

#[expect(
    clippy::expect_used,
    reason = "maps of strings to strings have a JSON form, and memory accepts every write"
)]
fn to_json(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(4096)); // growing it would leave copies of keys behind
    serde_json::to_writer(&mut *text, value).expect("strings have a JSON form");
    text
}

//! What the two halves say to each other: SPIRE's JSON, in which bytes are base64.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};

use super::MAX_MESSAGE;
use crate::AttestError;

/// The agent's first word.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Presentation {
    /// In DER, leaf first.
    pub(super) certificates: Vec<Bytes>,
}

/// What the server asks: exactly one of both is there.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Challenge {
    #[serde(default)]
    pub(super) rsa_signature: Option<Question>,
    #[serde(default)]
    pub(super) ecdsa_signature: Option<Question>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) nonce: Bytes,
}

/// What the agent answers: the one that it was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Response {
    #[serde(default)]
    pub(super) rsa_signature: Option<RsaProof>,
    #[serde(default)]
    pub(super) ecdsa_signature: Option<EcdsaProof>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RsaProof {
    pub(super) nonce: Bytes,
    pub(super) signature: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EcdsaProof {
    pub(super) nonce: Bytes,
    /// A number, most significant byte first.
    pub(super) r: Bytes,
    /// A number, most significant byte first.
    pub(super) s: Bytes,
}

/// Bytes, as Go's JSON has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

pub(super) fn read<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, AttestError> {
    if bytes.len() > MAX_MESSAGE {
        let length = bytes.len();
        let problem = format!("x509pop {what} has {length} bytes; at most {MAX_MESSAGE} are read");
        return Err(AttestError::Evidence { problem });
    }
    serde_json::from_slice(bytes).map_err(|error| AttestError::Evidence {
        // Where, but not what: the message is the peer's.
        problem: format!(
            "x509pop {what} is not the JSON that it must be, at line {} column {}",
            error.line(),
            error.column()
        ),
    })
}

pub(super) fn write(message: &impl Serialize) -> Vec<u8> {
    // Texts, lists and options: there is nothing that could not be written.
    serde_json::to_vec(message).unwrap_or_default()
}

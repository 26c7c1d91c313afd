//! What an Envoy asks its agent for by the Secret Discovery Service, and what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use finial_identity::{Bundle, X509Credential};

/// An Envoy as it describes itself in the first message of a stream.
#[derive(Clone, Debug, Default)]
pub struct EnvoyNode {
    /// Its name among the Envoys of its operator; may be empty.
    pub id: String,
    /// Its version, major and minor; `None` when it does not say.
    pub version: Option<(u32, u32)>,
    /// What its operator wrote beside the ID: texts, and truth values as `true` or `false`. Other values are left out.
    pub metadata: BTreeMap<String, String>,
}

/// A message of StreamSecrets: all that is wanted from now on, and what became of the last answer.
#[derive(Clone, Debug, Default)]
pub struct SecretRequest {
    /// Who asks; only the first message of a stream must say so.
    pub node: Option<EnvoyNode>,
    /// What is wanted; everything when it never names anything.
    pub names: Vec<String>,
    /// The version it holds, also from an earlier stream; empty when it holds nothing.
    pub version: String,
    /// The nonce of the answer that this one is about; empty when there was none.
    pub nonce: String,
    /// Why that answer was refused, if it was.
    pub rejection: Option<String>,
}

/// A message of DeltaSecrets: what is wanted in addition or no longer, and what became of the last answer.
#[derive(Clone, Debug, Default)]
pub struct SecretDeltaRequest {
    /// Who asks; only the first message of a stream must say so.
    pub node: Option<EnvoyNode>,
    /// What is wanted in addition; `*` is everything.
    pub subscribe: Vec<String>,
    /// What is wanted no longer.
    pub unsubscribe: Vec<String>,
    /// In the first message of a stream: names and versions of what it holds from an earlier one.
    pub held: BTreeMap<String, String>,
    /// The nonce of the answer that this one is about; empty when it is about none.
    pub nonce: String,
    /// Why that answer was refused, if it was.
    pub rejection: Option<String>,
}

/// An answer of StreamSecrets and FetchSecrets: what is not in it stays as it was.
#[derive(Clone, Debug, Default)]
pub struct SecretUpdate {
    /// Its version and nonce: unique in the stream.
    pub version: String,
    /// The secrets that are new to the reader.
    pub secrets: Vec<Secret>,
}

/// An answer of DeltaSecrets.
#[derive(Clone, Debug, Default)]
pub struct SecretDelta {
    /// Its version and nonce: unique in the stream.
    pub version: String,
    /// The secrets that are new to the reader.
    pub secrets: Vec<Secret>,
    /// Names of what there is not, or no longer.
    pub removed: Vec<String>,
}

/// Something an Envoy uses in a handshake.
#[derive(Clone, Debug)]
pub struct Secret {
    /// As it was asked for.
    pub name: String,
    /// Tells its content from any other under the name, on every stream; empty in StreamSecrets, which has no use for it.
    pub version: String,
    /// What it is.
    pub content: SecretContent,
}

/// What an Envoy presents, or by what it checks the other side.
#[derive(Clone, Debug)]
pub enum SecretContent {
    /// A certificate with its key.
    Credential(Arc<X509Credential>),
    /// Envoy's SPIFFE validator: the trust domain in the peer's ID chooses the bundle.
    Spiffe(Vec<Arc<Bundle>>),
    /// Envoy's own check of the chain, for one that has no SPIFFE validator or shall not use it. The peer's SPIFFE ID is
    /// not looked at.
    Authorities(Arc<Bundle>),
    /// Nobody is accepted any more. The bundle only makes it a context that every Envoy takes; no peer satisfies it.
    Nobody(Arc<Bundle>),
}

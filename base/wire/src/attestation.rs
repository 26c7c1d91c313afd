//! What passes between a node that joins and the server.

use std::fmt;
use std::time::{Duration, SystemTime};

use finial_identity::{SpiffeId, X509Svid};

/// What a node shows to prove what it is. `Debug` hides the payload: a join token is one.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeEvidence {
    /// The node attestor that understands it, such as `join_token`.
    pub kind: String,
    /// As the attestor defines it.
    pub payload: Vec<u8>,
}

impl fmt::Debug for NodeEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeEvidence").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What a node gets for evidence that convinced.
#[derive(Clone, Debug)]
pub struct AttestationResult {
    /// The agent's SVID.
    pub svid: X509Svid,
    /// Whether the agent attests again when the SVID runs out, instead of renewing it.
    pub can_reattest: bool,
}

/// A join token that is asked for. `Debug` hides the token.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinTokenRequest {
    /// How long it may be used; at least a second.
    pub ttl: Duration,
    /// The token itself; none: the server chooses.
    pub token: Option<String>,
    /// One more ID for the agent that joins with it.
    pub agent_id: Option<SpiffeId>,
}

impl fmt::Debug for JoinTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinTokenRequest")
            .field("ttl", &self.ttl)
            .field("agent_id", &self.agent_id)
            .finish_non_exhaustive()
    }
}

/// A join token: good for one attestation. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The secret itself.
    pub value: String,
    /// When it stops being good.
    pub expires_at: SystemTime,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

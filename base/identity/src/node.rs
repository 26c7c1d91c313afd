//! An attested node: what the server knows of an agent.

use std::time::SystemTime;

use crate::{SelectorSet, SpiffeId};

/// An agent that was attested, and the state of its SVID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The agent's ID, below `/spire/agent/`.
    pub id: SpiffeId,
    /// The type of evidence that it gave, such as `join_token`.
    pub attestation_type: String,
    /// The serial number of its current SVID, in decimal; empty when the agent is banned.
    pub serial_number: String,
    /// When its current SVID expires.
    pub expires_at: SystemTime,
    /// The serial number of a renewed SVID that the agent has not used yet, in decimal.
    pub new_serial_number: Option<String>,
    /// When the renewed SVID expires.
    pub new_expires_at: Option<SystemTime>,
    /// What the attestor found out about the node.
    pub selectors: SelectorSet,
    /// Whether the agent can attest again with what it has, instead of renewing.
    pub can_reattest: bool,
    /// The version the agent last reported; empty when it never did.
    pub agent_version: String,
}

impl Node {
    /// Whether the agent was banned: it has no serial number that could be presented.
    pub fn is_banned(&self) -> bool {
        self.serial_number.is_empty()
    }
}

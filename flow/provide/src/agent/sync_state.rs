//! Whether the agent and its server agree, for health and for the decision to attest again.

use std::time::SystemTime;

use tonic::Status;

/// How the last syncs went.
#[derive(Debug, Clone, Default)]
pub struct SyncState {
    /// When the server was last heard in full; `None` before the first time.
    pub last_sync: Option<SystemTime>,
    /// Why the latest sync failed; `None` when it succeeded or has not ended yet.
    ///
    /// An agent's denial (banned, expired, not attested) is in here: see `finial_wire::client::agent_denial`.
    pub failure: Option<Status>,
    /// Whether the server pushes changes; otherwise they are polled for.
    pub is_pushed: bool,
}

impl SyncState {
    /// Whether the agent lives on what it holds because its server does not answer.
    pub fn is_degraded(&self) -> bool {
        self.failure.is_some()
    }
}

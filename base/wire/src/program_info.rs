//! What a server and an agent say of themselves to whoever debugs them.

use std::time::{Duration, SystemTime};

use finial_identity::CertificateSummary;

/// What an agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentInfo {
    /// The agent's own SVID, leaf first.
    pub svid_chain: Vec<CertificateSummary>,
    /// Since the start; whole seconds travel.
    pub uptime: Duration,
    /// When the server was last heard in full.
    pub last_sync: Option<SystemTime>,
    /// X.509-SVIDs in memory.
    pub x509_svids: usize,
    /// JWT-SVIDs in memory.
    pub jwt_svids: usize,
    /// X.509-SVIDs in memory that go into a store.
    pub stored_x509_svids: usize,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// The server's own SVID, leaf first.
    pub svid_chain: Vec<CertificateSummary>,
    /// Since the start; whole seconds travel.
    pub uptime: Duration,
    /// Attested agents.
    pub agents: usize,
    /// Bundles of other trust domains.
    pub federated_bundles: usize,
    /// Registration entries.
    pub entries: usize,
}

//! Provide, the fourth stage: hand the identity over.
//!
//! On the server's side of the wire it takes the index and tells each agent that something changed ([`Changes`]).
//! On the agent's side one task ([`Cache`]) follows those changes through an [`Upstream`], keeps entries, bundles and
//! an X.509-SVID with a key of its own for each entry, and publishes an [`AgentSnapshot`] after each change;
//! [`Workloads`] attests the processes that ask, matches them with the entries, and answers the Workload API from
//! that snapshot; [`Secrets`] answers Envoys in their own terms.
//!
//! What is handed over was checked first: an SVID that does not belong to its entry, its key and the trust domain's
//! bundle never enters the snapshot.

mod agent;
mod server;

pub use agent::cache::Cache;
pub use agent::catalog::EntryCatalog;
pub use agent::delegated::DelegatedIdentity;
pub use agent::explain::Explainer;
pub use agent::meters::CacheMeters;
pub use agent::options::CacheOptions;
pub use agent::sds::{SdsOptions, Secrets};
pub use agent::server_upstream::ServerUpstream;
pub use agent::snapshot::AgentSnapshot;
pub use agent::sync_state::SyncState;
pub use agent::upstream::{Known, Revisions, Upstream};
pub use agent::workload_api::{RateLimits, StreamLimits, WorkloadOptions, WorkloadPeer, Workloads};
pub use server::changes::Changes;

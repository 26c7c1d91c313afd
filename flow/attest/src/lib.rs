//! The first stage of the flow, attest: who is asking?
//!
//! Evidence comes in, a proof goes out that only this stage can make:
//!
//! | evidence | who looks at it | proof |
//! |---|---|---|
//! | what an agent knows or holds (a join token, a certificate) | [`NodeAttestors`], over every [`NodeAttestor`] | [`AttestedNode`] |
//! | the process behind a Unix socket | [`WorkloadAttestors`], over every [`WorkloadAttestor`] | [`AttestedProcess`] |
//! | a verified certificate, a local socket, or nothing | the listener that accepted the connection | [`Caller`] |
//!
//! An attestor, ours or a stranger's, reports what it found; this crate checks the report before it becomes a proof.
//! Later stages take the proofs and cannot be reached without them.

mod caller;
mod container;
mod error;
mod node;
mod peer;
mod process;
#[cfg(test)]
mod testing;
mod workload;

pub use caller::Caller;
pub use container::{Container, ContainerId, PodUid};
pub use error::{AttestError, Gone};
#[cfg(any(test, feature = "testing"))]
pub use node::battery as node_battery;
pub use node::join_token::{JoinTokenAttestor, JoinTokenEvidence, join_token_agent_id};
pub use node::x509pop::{
    PathTemplateError, Possession, X509PopAttestor, X509PopConfig, X509PopEvidence, X509PopFiles,
    X509PopMode, X509PopPathTemplate,
};
pub use node::{AttestedNode, NodeAttestor, NodeAttestors, NodeEvidenceSource, NodeFindings};
pub use peer::PeerCredentials;
pub use process::PinnedProcess;
pub use process::executable::Executable;
pub use process::pin::PeerPidfd;
pub use workload::systemd::SystemdAttestor;
pub use workload::unix::{UnixAttestor, UnixConfig};
pub use workload::{AttestedProcess, Examination, Outcome, WorkloadAttestor, WorkloadAttestors};

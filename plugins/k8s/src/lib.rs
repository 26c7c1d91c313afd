//! A plugin of the stage attest: what the kubelet knows about the pod and the container that a workload runs in.
//!
//! The kernel says in which [container](finial_attest::Container) a pinned process is; the kubelet of the node, which
//! started that container, says what it is. One request of its API is used, for all pods of the node at once, and its
//! answer is shared by everybody who waits for it.

mod attestor;
mod config;
mod error;
mod kubelet;
mod pods;
mod roster;

pub use attestor::K8sAttestor;
pub use config::{Credentials, K8sConfig, KubeletPort, Verification};
pub use error::K8sError;

//! What can go wrong while asking the kubelet.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use finial_attest::{ContainerId, PodUid};

/// The kubelet could not be asked, or its answer is of no use. No message holds a label, a name or a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum K8sError {
    /// A token or a certificate cannot be read.
    #[error("{key} is `{}`, which cannot be used: is it there, and readable for this user?", path.display())]
    File {
        /// The key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The client certificate and its key are not a pair that TLS can use.
    #[error("certificate_path and private_key_path do not make a client certificate")]
    ClientCertificate(#[source] rustls::Error),
    /// Nobody listens where the kubelet should be.
    #[error("the kubelet at {kubelet} cannot be reached: set node_name, or run the agent with hostNetwork")]
    Unreachable {
        /// Host and port.
        kubelet: String,
        /// Why.
        source: io::Error,
    },
    /// The kubelet did not prove itself, or does not speak TLS.
    #[error(
        "the kubelet at {kubelet} could not be verified: does kubelet_ca_path hold its authority, and its certificate the node's name?"
    )]
    Unverified {
        /// Host and port.
        kubelet: String,
        /// Why.
        source: io::Error,
    },
    /// The kubelet does not speak HTTP, sent more than 32 MiB, or broke off.
    #[error("the kubelet at {kubelet} broke off its answer")]
    Broken {
        /// Host and port.
        kubelet: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The kubelet took too long.
    #[error("the kubelet at {kubelet} gave {source}")]
    Late {
        /// Host and port.
        kubelet: String,
        /// How long it had.
        source: finial_daemon::Elapsed,
    },
    /// The kubelet does not know the agent, or does not let it look.
    #[error("the kubelet at {kubelet} answered {status}: {remedy}")]
    Denied {
        /// Host and port.
        kubelet: String,
        /// 401 or 403.
        status: u16,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The kubelet refused otherwise.
    #[error("the kubelet at {kubelet} answered {status} when asked for its pods")]
    Refused {
        /// Host and port.
        kubelet: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is no list of pods. Without a cause, which might quote what is in them.
    #[error(
        "the kubelet at {kubelet} gave a list of pods that is not understood at line {line}, column {column}"
    )]
    Malformed {
        /// Host and port.
        kubelet: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Two containers of the list have one id, so nobody knows which one is meant.
    #[error("the kubelet reports container {id} twice")]
    Ambiguous {
        /// The id.
        id: ContainerId,
    },
    /// Kernel and kubelet name different pods.
    #[error(
        "the control groups of container {id} name pod {by_kernel}, and the kubelet says that it is in another"
    )]
    OtherPod {
        /// The container.
        id: ContainerId,
        /// The pod that the control groups name.
        by_kernel: PodUid,
    },
    /// The process is in a pod, and the kubelet did not report its container in time.
    #[error("the kubelet does not report container {id} of pod {pod}, asked {attempts} times")]
    Unreported {
        /// The container.
        id: ContainerId,
        /// Its pod.
        pod: PodUid,
        /// How often it was asked.
        attempts: u32,
    },
}

/// An error that all who waited for one answer get.
pub(crate) type Shared = Arc<K8sError>;

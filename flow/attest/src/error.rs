//! What can go wrong while finding out who asks.

use std::io;
use std::path::PathBuf;

use finial_identity::{SpiffeId, TrustDomain};

/// The process that was pinned is no longer there; whatever has its process id now is somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("process {pid} has ended")]
pub struct Gone {
    /// The id that the process had. It may belong to another one by now.
    pub pid: i32,
}

/// An error of attestation. No message holds a token or the value of a selector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// The agent offers a kind of evidence that nothing here can judge.
    #[error("node attestor `{kind}` is not configured here")]
    UnknownKind {
        /// The kind that the agent named.
        kind: String,
    },
    /// The evidence is malformed, or proves nothing.
    #[error("{problem}")]
    Evidence {
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// The evidence is well formed, and does not prove what it claims.
    #[error("{problem}")]
    Unproven {
        /// What it does not prove.
        problem: String,
        /// Why, when a certificate is at fault. Of no use to a stranger: it may be told.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A setting of a node attestor cannot be served.
    #[error("node attestor `{kind}` cannot use its {key}: {remedy}")]
    Setting {
        /// The attestor.
        kind: &'static str,
        /// The key in its configuration.
        key: &'static str,
        /// What to write instead.
        remedy: &'static str,
    },
    /// A file that evidence is judged by, or consists of, could not be read.
    #[error("file `{}` cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The evidence lies elsewhere, and could not be had from there.
    #[error("the evidence for `{kind}` could not be had")]
    Unavailable {
        /// The attestor.
        kind: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The cryptographic library failed.
    #[error("the cryptographic library failed during attestation")]
    Cryptography,
    /// No such join token, or one that has done its work.
    #[error("join token does not exist or has already been used")]
    TokenUnknown,
    /// The join token came too late. It is gone now.
    #[error("join token expired")]
    TokenExpired,
    /// A node attestor named an agent that it may not name.
    #[error("node attestor `{kind}` named the agent `{id}`, which is not below `{trust_domain}/spire/agent/{kind}/`", trust_domain = trust_domain.id())]
    ForeignAgent {
        /// The attestor.
        kind: String,
        /// What it named.
        id: SpiffeId,
        /// The trust domain served here.
        trust_domain: TrustDomain,
    },
    /// An attestor gave a selector of a type that is not its own.
    #[error("attestor `{kind}` gave a selector of type `{foreign}`, which is not its own")]
    ForeignSelector {
        /// The attestor.
        kind: String,
        /// The type of the selector.
        foreign: String,
    },
    /// The conversation between server and agent broke off.
    #[error("the attestation dialogue broke off")]
    Dialogue {
        /// The agent's last word, or what became of the connection.
        #[from]
        source: tonic::Status,
    },
    /// The datastore did not answer.
    #[error("the datastore failed during attestation")]
    Store {
        /// Why.
        source: finial_store::StoreError,
    },
    /// The process that connected has ended.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The peer's process lives in a PID namespace that cannot be seen from here.
    #[error(
        "the caller's process is not visible from this PID namespace: run the agent in the namespace of its workloads (in Kubernetes `hostPID: true`)"
    )]
    Invisible,
    /// The kernel cannot pin the peer of a socket, and the configuration insists on it.
    #[error("this kernel has no SO_PEERPIDFD: run Linux 6.5 or later, or unset `require_peer_pidfd`")]
    NoPeerPidfd,
    /// The kernel would not say who is at the other end of the socket.
    #[error("the peer of the socket could not be determined")]
    Peer {
        /// Why.
        source: io::Error,
    },
    /// A file of the process under `/proc` could not be read.
    #[error("`{file}` of process {pid} could not be read")]
    Proc {
        /// The process.
        pid: i32,
        /// The name of the file below `/proc/<pid>`.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// It cannot be said in which container a process is.
    #[error("the container of process {pid} is not clear: {problem}")]
    Container {
        /// The process.
        pid: i32,
        /// What is contradictory; container ids and pod UIDs are no secrets.
        problem: String,
    },
    /// The agent could not read its own control groups.
    #[error("`/proc/self/cgroup` could not be read")]
    OwnCgroup {
        /// Why.
        source: io::Error,
    },
    /// The path of the executable cannot be a selector.
    #[error(
        "the path of the executable of process {pid} is not UTF-8: rename it, or turn off `discover_workload_path`"
    )]
    PathNotUtf8 {
        /// The process.
        pid: i32,
    },
    /// The executable is larger than the configured limit.
    #[error(
        "the executable of process {pid} has {size} bytes, more than `workload_size_limit` allows ({limit}): raise the limit, or set it to -1 for no digest"
    )]
    ExecutableSize {
        /// The process.
        pid: i32,
        /// The size of its executable in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The process ran one program after the other, so that its selectors never belonged together.
    #[error("process {pid} kept changing its program while it was attested")]
    Restless {
        /// The process.
        pid: i32,
    },
    /// The name of a user or group could not be looked up.
    #[error("the {database} database could not be read")]
    Names {
        /// `user` or `group`.
        database: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A blocking step of an attestor panicked or was cancelled.
    #[error("a step of attestation was aborted")]
    Aborted {
        /// Why.
        source: tokio::task::JoinError,
    },
    /// systemd could not be asked, or its answer is of no use.
    #[error("systemd gave no answer over the system bus: is D-Bus running, and may this user connect?")]
    SystemBus {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Process ids mean other processes to systemd than to this program.
    #[error(
        "the system bus knows this agent as process {theirs}, not {ours}: run the agent in the PID namespace of the host, or systemd 255"
    )]
    OtherPidNamespace {
        /// The agent's process id as it knows it.
        ours: u32,
        /// As the bus knows it.
        theirs: u32,
    },
    /// An attestor did not answer in time.
    #[error(transparent)]
    Late(#[from] finial_daemon::Elapsed),
    /// An attestor of another crate failed, in its own words.
    #[error(transparent)]
    Plugin(Box<dyn std::error::Error + Send + Sync>),
    /// Some attestors did not answer; each has been logged by its name.
    #[error("workload attestation is incomplete: no answer from {}; try again, and see the agent's log", missing.join(", "))]
    Incomplete {
        /// Their names, such as `docker`.
        missing: Vec<String>,
    },
    /// Every workload attestor failed; each has been logged by its name.
    #[error("workload attestation failed")]
    Workload,
}

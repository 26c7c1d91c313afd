//! What can go wrong while asking a container engine.

use std::io;

use finial_attest::{AttestError, ContainerId};

/// An engine could not be asked, or its answer is of no use. No message holds a label or a variable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DockerError {
    /// The engine's socket cannot be connected.
    #[error("the container engine at {socket} cannot be reached: is it running, and may this user connect?")]
    Unreachable {
        /// The path of the socket.
        socket: String,
        /// Why.
        source: io::Error,
    },
    /// The socket of a user's engine is served by somebody else.
    #[error(
        "the container engine at {socket} is run by user {found}, not by user {owner} whose container it is"
    )]
    ForeignEngine {
        /// The path of the socket.
        socket: String,
        /// Who serves it.
        found: u32,
        /// Whose it should be.
        owner: u32,
    },
    /// The engine does not speak HTTP, or broke off.
    #[error("the container engine at {socket} broke off its answer")]
    Broken {
        /// The path of the socket.
        socket: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine took too long.
    #[error("the container engine at {socket} took too long")]
    Late {
        /// The path of the socket.
        socket: String,
        /// How long it had.
        source: finial_daemon::Elapsed,
    },
    /// The engine refused.
    #[error(
        "the container engine at {socket} answered {status} about container {id}: is `docker_version` one that it speaks?"
    )]
    Refused {
        /// The path of the socket.
        socket: String,
        /// The HTTP status.
        status: u16,
        /// The container asked about.
        id: ContainerId,
    },
    /// The answer is not what the API promises.
    #[error("the container engine at {socket} gave an answer about container {id} that is not understood")]
    Malformed {
        /// The path of the socket.
        socket: String,
        /// The container asked about.
        id: ContainerId,
        /// Why.
        source: serde_json::Error,
    },
    /// The answer is about another container.
    #[error("the container engine at {socket} was asked about container {id} and answered about another")]
    OtherContainer {
        /// The path of the socket.
        socket: String,
        /// The container asked about.
        id: ContainerId,
    },
}

impl From<DockerError> for AttestError {
    fn from(error: DockerError) -> Self {
        Self::Plugin(Box::new(error))
    }
}

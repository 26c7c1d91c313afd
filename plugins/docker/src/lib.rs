//! A plugin of the stage attest: what Docker and Podman know about the container that a workload runs in.
//!
//! The kernel says in which [container](finial_attest::Container) a pinned process is; the engine that made the
//! container says what it is. One request of its API is used, over its Unix socket.

mod attestor;
mod config;
mod engine;
mod error;
mod memory;

pub use attestor::DockerAttestor;
pub use config::patterns::IdPatterns;
pub use config::{ApiVersion, DockerConfig, SocketAddress, SocketTemplate};
pub use error::DockerError;

//! How a command reaches the server's and the agent's Unix sockets.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use finial_receive::Endpoint;
use tokio::net::UnixStream;
use tonic::{Code, Status, transport::Channel};

/// Where SPIRE's server listens for its own commands.
pub(crate) const SERVER_SOCKET: &str = "/tmp/spire-server/private/api.sock";
/// Where SPIRE's agent serves the Workload API.
pub(crate) const AGENT_SOCKET: &str = "/tmp/spire-agent/public/api.sock";
/// Where SPIRE's commands look for an agent's admin socket.
pub(crate) const ADMIN_SOCKET: &str = "/tmp/spire-agent/private/admin.sock";

/// `-socketPath` of a command that asks the server.
#[derive(Args)]
pub(crate) struct ServerSocket {
    /// Path of the server's Unix socket
    #[arg(long = "socketPath", visible_alias = "socket-path", env = "SPIRE_SERVER_PRIVATE_SOCKET", default_value = SERVER_SOCKET)]
    socket_path: PathBuf,
}

impl ServerSocket {
    pub(crate) async fn connect(&self) -> Result<Channel> {
        connect(&self.socket_path, "server", "finial server run").await
    }
}

/// `-socketPath` of a command that asks the agent.
#[derive(Args)]
pub(crate) struct AgentSocket {
    /// Path of the agent's Unix socket [default: $SPIFFE_ENDPOINT_SOCKET, else /tmp/spire-agent/public/api.sock]
    #[arg(long = "socketPath", visible_alias = "socket-path")]
    socket_path: Option<PathBuf>,
}

impl AgentSocket {
    pub(crate) async fn connect(&self) -> Result<Channel> {
        match &self.socket_path {
            Some(path) => connect(path, "agent", "finial agent run").await,
            None if std::env::var_os("SPIFFE_ENDPOINT_SOCKET").is_some() => {
                Ok(finial_receive::connect(&Endpoint::from_env()?))
            }
            None => connect(Path::new(AGENT_SOCKET), "agent", "finial agent run").await,
        }
    }
}

/// `-socketPath` of a command that administers the agent.
#[derive(Args)]
pub(crate) struct AdminSocket {
    /// Path of the agent's admin socket, as `admin_socket_path` in its configuration
    #[arg(long = "socketPath", visible_alias = "socket-path", default_value = ADMIN_SOCKET)]
    socket_path: PathBuf,
}

impl AdminSocket {
    pub(crate) async fn connect(&self) -> Result<Channel> {
        let path = &self.socket_path;
        UnixStream::connect(path).await.with_context(|| {
            format!(
                "no agent answers at {}; set admin_socket_path in agent.conf, or give -socketPath",
                path.display()
            )
        })?;
        Ok(finial_receive::connect(&Endpoint::Unix(path.clone())))
    }
}

async fn connect(path: &Path, who: &str, start: &str) -> Result<Channel> {
    // Tried once here, since the channel itself connects with the first call and would not name the remedy.
    UnixStream::connect(path).await.with_context(|| {
        format!("no {who} answers at {}; start one with `{start}`, or give -socketPath", path.display())
    })?;
    Ok(finial_receive::connect(&Endpoint::Unix(path.to_owned())))
}

/// An answer that was an error, in words: the server's message, after what was asked of it.
pub(crate) fn refused(asked: &'static str) -> impl FnOnce(Status) -> anyhow::Error {
    move |status| match status.code() {
        Code::Unimplemented => {
            anyhow!("{asked}: the program at this socket does not serve it: {}", status.message())
        }
        code => anyhow!("{asked}: {} (code: {code:?})", status.message()),
    }
}

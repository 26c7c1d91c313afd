//! How a command reaches the server's and the agent's Unix sockets.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
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

/// Where SPIRE's commands read what path the socket of an instance has.
const SERVER_TEMPLATE: &str = "SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE";
const AGENT_TEMPLATE: &str = "SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE";

/// `-socketPath` of a command that asks the server.
#[derive(Args)]
pub(crate) struct ServerSocket {
    /// Path of the server's Unix socket
    #[arg(long = "socketPath", visible_alias = "socket-path", env = "SPIRE_SERVER_PRIVATE_SOCKET", default_value = SERVER_SOCKET)]
    socket_path: PathBuf,
    /// One of several servers here, instead of -socketPath: its name in $SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

impl ServerSocket {
    pub(crate) async fn connect(&self) -> Result<Channel> {
        let of_instance =
            self.instance.as_deref().map(|name| socket_of(name, SERVER_TEMPLATE)).transpose()?;
        connect(of_instance.as_ref().unwrap_or(&self.socket_path), "server", "finial server run").await
    }
}

/// `-socketPath` of a command that asks the agent.
#[derive(Args)]
pub(crate) struct AgentSocket {
    /// Path of the agent's Unix socket [default: $SPIFFE_ENDPOINT_SOCKET, else /tmp/spire-agent/public/api.sock]
    #[arg(long = "socketPath", visible_alias = "socket-path")]
    socket_path: Option<PathBuf>,
    /// One of several agents here, instead of -socketPath: its name in $SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE
    #[arg(long, value_name = "NAME", conflicts_with = "socket_path")]
    instance: Option<String>,
}

impl AgentSocket {
    pub(crate) async fn connect(&self) -> Result<Channel> {
        let of_instance = self.instance.as_deref().map(|name| socket_of(name, AGENT_TEMPLATE)).transpose()?;
        match of_instance.as_ref().or(self.socket_path.as_ref()) {
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

/// The socket of an instance, whose name stands for `%i` in the variable `template`.
fn socket_of(instance: &str, template: &str) -> Result<PathBuf> {
    let text = std::env::var(template).with_context(|| {
        format!("-instance needs the variable {template}: a path in which %i stands for the instance")
    })?;
    path_of(instance, &text).with_context(|| format!("-instance {instance:?}, {template}={text:?}"))
}

fn path_of(instance: &str, template: &str) -> Result<PathBuf> {
    if !template.contains("%i") {
        bail!("the template has no %i");
    }
    if instance.is_empty() || instance.contains('/') || instance.contains("..") {
        bail!("the name of an instance is part of a path: it is not empty, and has neither / nor ..");
    }
    Ok(template.replace("%i", instance).into())
}

async fn connect(path: &Path, who: &str, start: &str) -> Result<Channel> {
    // Tried once here, since the channel itself connects with the first call and would not name the remedy.
    UnixStream::connect(path).await.with_context(|| {
        format!("no {who} answers at {}; start one with `{start}`, or give -socketPath", path.display())
    })?;
    Ok(finial_receive::connect(&Endpoint::Unix(path.to_owned())))
}

/// An answer that was an error, in the words of Go's clients, after what was asked.
pub(crate) fn refused(asked: &'static str) -> impl FnOnce(Status) -> anyhow::Error {
    move |status| anyhow!("{asked}: {}", rpc_error(&status))
}

/// The same, where that says enough.
#[expect(clippy::needless_pass_by_value, reason = "it ends here, and `map_err` gives it away")]
pub(crate) fn answered(status: Status) -> anyhow::Error {
    anyhow!("{}", rpc_error(&status))
}

fn rpc_error(status: &Status) -> String {
    let remedy = match status.code() {
        Code::Unimplemented => " (the program at this socket does not serve it)",
        _ => "",
    };
    format!("rpc error: code = {} desc = {}{remedy}", code_name(status.code()), status.message())
}

/// The name of a code as Go writes it.
pub(crate) fn code_name(code: Code) -> String {
    match code {
        Code::Ok => "OK".to_owned(),
        Code::Cancelled => "Canceled".to_owned(),
        code => format!("{code:?}"),
    }
}

#[cfg(test)]
mod tests;

//! The flags that both kinds of proxy have.

use std::time::Duration;

use clap::Args;
use finial_daemon::go;
use finial_proxy::Limits;

use super::credentials::Credentials;
use super::peers::Peers;
use super::status::Status;
use super::tls::Tls;
use super::unserved::Unserved;
use super::{Called, Landlock};

#[derive(Args)]
pub(crate) struct Both {
    #[command(flatten)]
    pub(super) credentials: Credentials,
    #[command(flatten)]
    pub(super) peers: Peers,
    /// How long to wait for the first identity; 0 for ever
    #[arg(long = "use-workload-api-timeout", default_value = "10m", value_name = "DURATION", value_parser = first_identity)]
    workload_api_timeout: Duration,
    /// How long to dial, and to end a handshake
    #[arg(long = "connect-timeout", default_value = "10s", value_name = "DURATION", value_parser = go::parse_duration)]
    connect_timeout: Duration,
    /// How long open connections may go on after the proxy was told to stop
    #[arg(long = "shutdown-timeout", default_value = "5m", value_name = "DURATION", value_parser = go::parse_duration)]
    shutdown_timeout: Duration,
    /// How long one direction may go on after the other has ended
    #[arg(long = "close-timeout", default_value = "60s", value_name = "DURATION", value_parser = go::parse_duration)]
    close_timeout: Duration,
    /// How long a connection may be open; 0 for ever
    #[arg(long = "max-conn-lifetime", default_value = "0", value_name = "DURATION", value_parser = go::parse_duration)]
    lifetime: Duration,
    /// Connections at once, further ones wait; 0 for no limit [default: 10000]
    #[arg(long = "max-concurrent-conns", value_name = "NUMBER")]
    connections: Option<u32>,
    /// Do not ask for the address of the target when starting: for machines whose network comes later
    #[arg(long = "skip-resolve")]
    pub(super) skip_resolve: bool,
    #[command(flatten)]
    pub(super) status: Status,
    #[command(flatten)]
    pub(super) tls: Tls,
    #[command(flatten)]
    pub(super) unserved: Unserved,
    #[command(flatten)]
    pub(crate) landlock: Landlock,
}

impl Both {
    /// Whether nothing is to be logged, as far as ghostunnel's `--quiet=all` goes.
    pub(crate) fn is_silent(&self) -> bool {
        self.status.is_silent()
    }

    pub(super) fn limits(&self, called: Called) -> Limits {
        Limits {
            workload_api_timeout: self.workload_api_timeout,
            connect_timeout: self.connect_timeout,
            shutdown_timeout: self.shutdown_timeout,
            close_timeout: self.close_timeout,
            lifetime: self.lifetime,
            connections: self.connections(called),
        }
    }

    /// Zero is ghostunnel's for no limit, and its default.
    fn connections(&self, called: Called) -> usize {
        match (self.connections, called) {
            (None, Called::Finial) => Limits::default().connections,
            (None, Called::Ghostunnel) | (Some(0), _) => usize::MAX,
            (Some(limit), _) => usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }
}

/// Go has durations below zero; of this one ghostunnel says why it may not be.
fn first_identity(text: &str) -> Result<Duration, String> {
    go::parse_duration(text).map_err(|error| match text.strip_prefix('-').map(go::parse_duration) {
        Some(Ok(span)) if !span.is_zero() => {
            "--use-workload-api-timeout duration must not be negative (use 0 to wait indefinitely)".to_owned()
        }
        _ => error.to_string(),
    })
}

//! The flags of `finial proxy` that say what it tells of itself.

use clap::{Args, ValueEnum};
use finial_proxy::{Quiet, StatusFlags};

#[derive(Args)]
pub(super) struct Status {
    /// Serve /_status and /_metrics here: HOST:PORT by HTTPS with the proxy's certificate, http://HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    status: Option<String>,
    /// Let whoever reaches the status server end the proxy, by POST /_shutdown
    #[arg(long = "enable-shutdown")]
    enable_shutdown: bool,
    /// What stands before the name of each metric
    #[arg(long = "metrics-prefix", default_value = "ghostunnel", value_name = "PREFIX")]
    metrics_prefix: String,
    /// What not to log; give it several times
    #[arg(long, value_name = "WHAT")]
    quiet: Vec<Silence>,
}

/// What ghostunnel's `--quiet` takes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Silence {
    /// Nothing
    #[value(name = "", hide = true)]
    Nothing,
    /// All of these
    All,
    /// Connections that open and close
    Conns,
    /// Callers with whom there is no handshake
    HandshakeErrs,
    /// Connections that break, and targets that cannot be reached
    ConnErrs,
}

impl Status {
    pub(super) fn flags(&self) -> StatusFlags {
        StatusFlags {
            address: self.status.clone().filter(|text| !text.is_empty()),
            shutdown: self.enable_shutdown,
            metrics_prefix: self.metrics_prefix.clone(),
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.quiet.contains(&Silence::All)
    }

    pub(super) fn quiet(&self) -> Quiet {
        let is = |silence| self.quiet.contains(&silence) || self.quiet.contains(&Silence::All);
        Quiet {
            connections: is(Silence::Conns),
            connection_errors: is(Silence::ConnErrs),
            handshake_errors: is(Silence::HandshakeErrs),
        }
    }
}

//! The flags of `finial proxy` that say what it tells of itself.

use std::time::Duration;

use clap::{Args, ValueEnum};
use finial_daemon::go;
use finial_proxy::{Quiet, StatusFlags};

#[derive(Args)]
pub(super) struct Status {
    /// Serve /_status and /_metrics here: HOST:PORT by HTTPS with the proxy's certificate, http://HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    status: Option<String>,
    /// Let whoever reaches the status server end the proxy, by POST /_shutdown
    #[arg(long = "enable-shutdown")]
    enable_shutdown: bool,
    /// Taken for the sake of command lines that have it: there is no profiler inside, as /debug/pprof says
    #[arg(long = "enable-pprof")]
    enable_pprof: bool,
    /// Send metrics to Graphite each second: HOST:PORT
    #[arg(long = "metrics-graphite", value_name = "ADDRESS")]
    metrics_graphite: Option<String>,
    /// Post metrics as JSON to this URL
    #[arg(long = "metrics-url", value_name = "URL")]
    metrics_url: Option<String>,
    /// How often metrics are posted
    #[arg(long = "metrics-interval", default_value = "30s", value_name = "DURATION", value_parser = go::parse_duration)]
    metrics_interval: Duration,
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
            pprof: self.enable_pprof,
            metrics_graphite: self.metrics_graphite.clone().filter(|text| !text.is_empty()),
            metrics_url: self.metrics_url.clone().filter(|text| !text.is_empty()),
            metrics_interval: self.metrics_interval,
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

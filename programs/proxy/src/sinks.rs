//! Metrics brought to whoever collects them: to Graphite each second, and to a URL now and then.
//!
//! A sink that hangs, refuses or resets costs its own task some waiting, one text of metrics and two lines of the log:
//! when it fails first, and when it works again.

mod graphite;
mod post;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use finial_daemon::{Clock, Elapsed, Tasks};

use self::graphite::Graphite;
use self::post::Post;
use crate::Address;
use crate::lines::Chain;
use crate::metrics::Exporter;
use crate::outgoing::{HttpUrl, RequestError, Site};
use crate::plain::{self, Names, Plain};
use crate::proxy::DialError;

/// For one dial, and for one delivery.
const LIMIT: Duration = Duration::from_secs(10);

/// Where metrics are brought to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sinks {
    pub(crate) graphite: Option<Address>,
    /// And how often.
    pub(crate) post: Option<(HttpUrl, Duration)>,
}

/// Metrics were not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SinkError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    TooSlow(#[from] Elapsed),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("it answered with status {0}")]
    Status(u16),
}

/// Brings metrics to the sinks, in tasks that end with `tasks`.
pub(crate) fn start(sinks: Sinks, exporter: &Exporter, tasks: &Tasks) {
    if let Some(address) = sinks.graphite {
        let (sink, drain) = (Graphite::new(address, exporter.clone()), tasks.drain());
        tasks.spawn("metrics to Graphite", async move {
            tokio::select! {
                () = sink.run() => {}
                () = drain.requested() => {}
            }
        });
    }
    if let Some((url, every)) = sinks.post {
        let site = Site::new(url, exporter.clock());
        let (sink, drain) = (Post::new(site, every, exporter.clone()), tasks.drain());
        tasks.spawn("metrics to a URL", async move {
            tokio::select! {
                () = sink.run() => {}
                () = drain.requested() => {}
            }
        });
    }
}

async fn dial(address: &Address, clock: &Clock) -> Result<Plain, SinkError> {
    Ok(plain::dial(address, &Names::default(), (LIMIT, clock)).await?)
}

/// Whether a sink has failed, so that an outage is told once.
#[derive(Debug, Default)]
struct Outage {
    lasts: bool,
}

impl Outage {
    fn note(&mut self, sink: &str, brought: &Result<(), SinkError>) {
        match brought {
            Err(error) if !self.lasts => {
                tracing::warn!(sink, "error reporting metrics: {}; trying on", Chain(error));
            }
            Ok(()) if self.lasts => tracing::info!(sink, "metrics are reported again"),
            _ => {}
        }
        self.lasts = brought.is_err();
    }
}

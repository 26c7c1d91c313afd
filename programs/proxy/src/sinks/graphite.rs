//! Metrics by Graphite's plaintext protocol, over one connection for as long as it lasts.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::{LIMIT, Outage, SinkError, dial};
use crate::Address;
use crate::metrics::Exporter;
use crate::plain::Plain;

const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Graphite {
    address: Address,
    exporter: Exporter,
    /// Over which all that was begun has been sent.
    stream: Option<Plain>,
    outage: Outage,
}

impl Graphite {
    pub(super) fn new(address: Address, exporter: Exporter) -> Self {
        Self { address, exporter, stream: None, outage: Outage::default() }
    }

    pub(super) async fn run(mut self) {
        let name = self.address.to_string();
        loop {
            self.exporter.clock().sleep(EVERY).await;
            let sent = self.send().await;
            self.outage.note(&name, &sent);
        }
    }

    /// A connection on which a line was torn is not used again.
    async fn send(&mut self) -> Result<(), SinkError> {
        let clock = self.exporter.clock();
        let mut stream = match self.stream.take().filter(|stream| !stream.has_ended()) {
            Some(stream) => stream,
            None => dial(&self.address, clock).await?,
        };
        let lines = self.exporter.graphite();
        clock.timeout(LIMIT, stream.write_all(lines.as_bytes())).await??;
        self.stream = Some(stream);
        Ok(())
    }
}

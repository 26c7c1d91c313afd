//! Metrics as JSON to a URL, a connection for each time.

use std::time::Duration;

use super::{LIMIT, Outage, SinkError, dial};
use crate::metrics::Exporter;
use crate::outgoing::Site;

#[derive(Debug)]
pub(super) struct Post {
    site: Site,
    every: Duration,
    exporter: Exporter,
    outage: Outage,
}

impl Post {
    pub(super) fn new(site: Site, every: Duration, exporter: Exporter) -> Self {
        Self { site, every, exporter, outage: Outage::default() }
    }

    pub(super) async fn run(mut self) {
        let name = self.site.url().to_string();
        loop {
            self.exporter.clock().sleep(self.every).await;
            let sent = self.send().await;
            self.outage.note(&name, &sent);
        }
    }

    pub(super) async fn send(&self) -> Result<(), SinkError> {
        let clock = self.exporter.clock();
        let stream = dial(self.site.url().address(), clock).await?;
        let post = self.site.post(stream, self.exporter.json());
        let status = clock.timeout(LIMIT, Box::pin(post)).await??;
        if status.is_success() { Ok(()) } else { Err(SinkError::Status(status.as_u16())) }
    }
}

//! Looking after targets while nobody calls.

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Backoff, jitter};
use futures_util::future::join_all;

use super::{CheckError, Proxy};
use crate::config::HealthCheck;
use crate::lines::Chain;
use crate::outgoing::Site;
use crate::targets::{Target, Turn};

/// How rarely a target that is ill is looked at, unless its interval is longer.
const RAREST: Duration = Duration::from_secs(30);
/// The share by which pauses are spread, so that many proxies do not come at once.
const SPREAD: f64 = 0.1;

impl Proxy {
    /// Checks each target by itself, for ever; nothing where nothing is to be checked.
    pub(crate) async fn look_after_targets(&self) {
        if let Some(check) = &self.health_check {
            join_all(self.targets.iter().map(|target| self.look_after(target, check))).await;
        }
        std::future::pending::<()>().await;
    }

    async fn look_after(&self, target: &Arc<Target>, check: &HealthCheck) {
        // The path was read when the configuration was checked.
        let url = check.request(target.address()).ok().flatten();
        let site = url.map(|url| Site::new(url, self.clock()));
        let mut rarely = Backoff::new(check.interval, check.interval.max(RAREST));
        loop {
            let pause = if target.health().is_ill() { rarely.next() } else { jitter(check.interval, SPREAD) };
            self.clock().sleep(pause).await;
            let found = self.clock().timeout(check.timeout, self.probe(target, site.as_ref())).await;
            match found.map_err(CheckError::from).flatten() {
                Ok(()) => {
                    rarely.reset();
                    if target.health().checked_well(check.healthy) == Some(Turn::Recovered) {
                        tracing::info!("the target {} is well again", target.network_address());
                    }
                }
                Err(error) => {
                    if target.health().checked_ill(check.unhealthy) == Some(Turn::FellIll) {
                        let target = target.network_address();
                        tracing::warn!(
                            "the target {target} is ill, and others come first: {}",
                            Chain(&error)
                        );
                    }
                }
            }
        }
    }

    /// Reaches this target as for a caller, and asks it if there is something to ask.
    async fn probe(&self, target: &Target, site: Option<&Site>) -> Result<(), CheckError> {
        let status = Box::pin(self.visit(target, site)).await?;
        match status {
            None => Ok(()),
            Some(status) if status.is_success() || status.is_redirection() => Ok(()),
            Some(status) => Err(CheckError::Status(status.as_u16())),
        }
    }
}

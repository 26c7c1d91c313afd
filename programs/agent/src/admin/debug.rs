//! How the agent is: its identity, its age, and how much it holds.

use std::time::Duration;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_provide::Cache;
use finial_receive::Source;
use finial_wire::AgentInfo;
use finial_wire::server::AgentDebugApi;
use tonic::{Extensions, Status};

/// Tells how the agent is.
#[derive(Debug)]
pub(super) struct AgentDebug {
    source: Source,
    cache: Cache,
    clock: Clock,
    /// On the monotonic clock.
    started: Duration,
}

impl AgentDebug {
    /// Tells of an agent that starts now.
    pub(super) fn new(source: Source, cache: Cache, clock: &Clock) -> Self {
        Self { source, cache, clock: clock.clone(), started: clock.monotonic() }
    }
}

#[async_trait]
impl AgentDebugApi for AgentDebug {
    async fn info(&self, _: &Extensions) -> Result<AgentInfo, Status> {
        let credential = self.source.credential().ok();
        Ok(AgentInfo {
            svid_chain: credential.map(|credential| credential.svid().summaries()).unwrap_or_default(),
            uptime: self.clock.monotonic().saturating_sub(self.started),
            last_sync: self.cache.state().borrow().last_sync,
            x509_svids: self.cache.snapshot().credential_count(),
            jwt_svids: self.cache.jwt_svid_count(),
            // There are no SVID stores.
            stored_x509_svids: 0,
        })
    }
}

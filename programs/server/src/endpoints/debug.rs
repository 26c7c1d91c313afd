//! How the server is: its identity, its age, and how much it holds. For callers on the server's own socket.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_receive::Source;
use finial_wire::ServerInfo;
use finial_wire::server::ServerDebugApi;
use tonic::{Extensions, Status};

use crate::core::Core;

#[derive(Debug)]
pub(super) struct DebugEndpoint {
    core: Arc<Core>,
    /// The server's own identity.
    source: Source,
    /// On the monotonic clock.
    started: Duration,
}

impl DebugEndpoint {
    /// Tells of a server that starts now.
    pub(super) fn new(core: Arc<Core>, source: Source) -> Self {
        let started = core.clock.monotonic();
        Self { core, source, started }
    }
}

#[async_trait]
impl ServerDebugApi for DebugEndpoint {
    async fn info(&self, _: &Extensions) -> Result<ServerInfo, Status> {
        let snapshot = self.core.index.snapshot();
        let credential = self.source.credential().ok();
        let is_foreign =
            |bundle: &&Arc<finial_identity::Bundle>| bundle.trust_domain != self.core.trust_domain;
        Ok(ServerInfo {
            svid_chain: credential.map(|credential| credential.svid().summaries()).unwrap_or_default(),
            uptime: self.core.clock.monotonic().saturating_sub(self.started),
            agents: snapshot.node_count(),
            federated_bundles: snapshot.bundles().iter().filter(is_foreign).count(),
            entries: snapshot.entry_count(),
        })
    }
}

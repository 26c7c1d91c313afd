//! What every endpoint works with: the store, its index, the authorities, and the time.

use std::sync::Arc;
use std::time::Duration;

use finial_attest::NodeAttestors;
use finial_authorize::Permit;
use finial_daemon::Clock;
use finial_identity::{Node, SpiffeId, TrustDomain};
use finial_issue::{AuthorityManager, Issuer};
use finial_store::{DataStore, Index, Revision, Snapshot, StoreError};
use tonic::{Extensions, Status};

use crate::rate::Limits;
use crate::status;

/// How long a caller waits until its own change shows in the index.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

/// How often a change is tried anew when somebody else was faster each time.
pub(crate) const ATTEMPTS: usize = 8;

/// The parts of one server. Shared by all its endpoints.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) trust_domain: TrustDomain,
    pub(crate) store: Arc<dyn DataStore>,
    pub(crate) index: Index,
    pub(crate) attestors: NodeAttestors,
    pub(crate) authorities: AuthorityManager,
    pub(crate) issuer: Issuer,
    pub(crate) limits: Limits,
    /// How long clients use a TCP connection for new calls.
    pub(crate) connection_age: Duration,
    pub(crate) clock: Clock,
}

impl Core {
    /// Waits until the index holds a change, so that whoever made it sees it in the next answer.
    pub(crate) async fn visible(&self, revision: Revision) -> Result<Arc<Snapshot>, Status> {
        match self.clock.timeout(VISIBLE_WITHIN, self.index.reached(revision)).await {
            Ok(snapshot) => snapshot.map_err(status::stopped),
            Err(_) => Err(status::not_yet_visible(revision)),
        }
    }

    /// The node as the primary has it.
    pub(crate) async fn node(&self, id: &SpiffeId) -> Result<Option<Node>, StoreError> {
        Ok(self.store.nodes(std::slice::from_ref(id)).await?.pop())
    }

    /// Changes a node, whoever else does so at the same time; `change` sees it as it is, and may refuse.
    pub(crate) async fn change_node(
        &self,
        id: &SpiffeId,
        change: impl Fn(&mut Node) -> Result<(), Status>,
    ) -> Result<Node, Status> {
        for _ in 0..ATTEMPTS {
            let seen = self.node(id).await.map_err(status::store)?.ok_or_else(|| status::no_agent(id))?;
            let mut node = seen.clone();
            change(&mut node)?;
            if node == seen {
                return Ok(node);
            }
            match self.store.update_node(&seen, node.clone()).await {
                Ok(revision) => {
                    self.visible(revision).await?;
                    return Ok(node);
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(status::store(error)),
            }
        }
        Err(status::contended())
    }
}

/// The permit that the guard gave this call.
pub(crate) fn permit(ctx: &Extensions) -> Result<&Permit, Status> {
    ctx.get::<Permit>().ok_or_else(status::no_permit)
}

//! The server's own X.509 authorities, for operators.

use std::sync::Arc;

use async_trait::async_trait;
use finial_issue::{Authority, AuthorityKind, IssueError};
use finial_wire::server::LocalAuthorityApi;
use finial_wire::{AuthorityState, AuthorityStates};
use tonic::{Extensions, Status};

use crate::core::Core;
use crate::status;

pub(super) struct LocalAuthorityEndpoint {
    core: Arc<Core>,
}

impl LocalAuthorityEndpoint {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The outcome of a change, once the bundle that it changed shows in the index.
    async fn visible(&self, changed: Result<Authority, IssueError>) -> Result<AuthorityState, Status> {
        let authority = changed.map_err(status::issue)?;
        let revision = self.core.store.revision().await.map_err(status::store)?;
        self.core.visible(revision).await?;
        Ok(state(authority))
    }
}

#[async_trait]
impl LocalAuthorityApi for LocalAuthorityEndpoint {
    async fn x509_authorities(&self, _: &Extensions) -> Result<AuthorityStates, Status> {
        let states = self.core.authorities.show(AuthorityKind::X509).await.map_err(status::issue)?;
        Ok(AuthorityStates {
            active: states.active.map(state),
            prepared: states.prepared.map(state),
            old: states.old.map(state),
        })
    }

    async fn prepare_x509(&self, _: &Extensions) -> Result<AuthorityState, Status> {
        self.visible(self.core.authorities.prepare(AuthorityKind::X509).await).await
    }

    async fn activate_x509(&self, _: &Extensions, id: String) -> Result<AuthorityState, Status> {
        self.visible(self.core.authorities.activate(AuthorityKind::X509, id).await).await
    }

    async fn taint_x509(&self, _: &Extensions, id: String) -> Result<AuthorityState, Status> {
        self.visible(self.core.authorities.taint(AuthorityKind::X509, id).await).await
    }

    async fn revoke_x509(&self, _: &Extensions, id: String) -> Result<AuthorityState, Status> {
        self.visible(self.core.authorities.revoke(AuthorityKind::X509, id).await).await
    }
}

/// There is no authority above ours yet.
fn state(authority: Authority) -> AuthorityState {
    AuthorityState { id: authority.id, expires_at: authority.expires_at, upstream_subject_key_id: None }
}

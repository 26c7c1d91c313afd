//! The server's own authorities, X.509 and JWT, for operators.

use std::sync::Arc;

use async_trait::async_trait;
use finial_issue::{Authority, AuthorityKind, IssueError};
use finial_wire::server::LocalAuthorityApi;
use finial_wire::{AuthorityState, AuthorityStates, LocalAuthorityKind};
use tonic::{Extensions, Status};

use crate::audit::{self, Facts};
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
    async fn authorities(&self, _: &Extensions, kind: LocalAuthorityKind) -> Result<AuthorityStates, Status> {
        let states = self.core.authorities.show(of(kind)).await.map_err(status::issue)?;
        Ok(AuthorityStates {
            active: states.active.map(state),
            prepared: states.prepared.map(state),
            old: states.old.map(state),
        })
    }

    async fn prepare(&self, _: &Extensions, kind: LocalAuthorityKind) -> Result<AuthorityState, Status> {
        self.visible(self.core.authorities.prepare(of(kind)).await).await
    }

    async fn activate(
        &self,
        ctx: &Extensions,
        kind: LocalAuthorityKind,
        id: String,
    ) -> Result<AuthorityState, Status> {
        audit::about(ctx, || Facts::of_authority(&id));
        self.visible(self.core.authorities.activate(of(kind), id).await).await
    }

    async fn taint(
        &self,
        ctx: &Extensions,
        kind: LocalAuthorityKind,
        id: String,
    ) -> Result<AuthorityState, Status> {
        audit::about(ctx, || Facts::of_authority(&id));
        self.visible(self.core.authorities.taint(of(kind), id).await).await
    }

    async fn revoke(
        &self,
        ctx: &Extensions,
        kind: LocalAuthorityKind,
        id: String,
    ) -> Result<AuthorityState, Status> {
        audit::about(ctx, || Facts::of_authority(&id));
        self.visible(self.core.authorities.revoke(of(kind), id).await).await
    }
}

fn of(kind: LocalAuthorityKind) -> AuthorityKind {
    match kind {
        LocalAuthorityKind::X509 => AuthorityKind::X509,
        LocalAuthorityKind::Jwt => AuthorityKind::Jwt,
    }
}

/// There is no authority above ours yet.
fn state(authority: Authority) -> AuthorityState {
    AuthorityState { id: authority.id, expires_at: authority.expires_at, upstream_subject_key_id: None }
}

//! The server's APIs, with nobody behind them but what a request needs to be answered in full.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_identity::{
    Audience, Bundle, Entry, EntryDraft, EntryId, JwtAuthority, JwtSvid, Node, SelectorSet, SpiffeId,
    TrustDomain, X509Authority, X509Svid,
};
use finial_wire::server::{
    AgentApi, BundleApi, Created, Dialogue, EntryApi, LocalAuthorityApi, LoggerApi, SvidApi, agent_service,
    bundle_service, entry_service, local_authority_service, server_logger_service, svid_service,
};
use finial_wire::{
    AgentFilter, AttestationResult, AuthorityState, AuthorityStates, BundleDeletion, BundleUpdate,
    EntryFilter, EntryUpdate, JoinToken, JoinTokenRequest, LocalAuthorityKind as Kind, LogLevel, LogLevels,
    NodeEvidence, Page, Paged,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tonic::service::Routes;
use tonic::{Extensions, Status};

use super::nothing;
use crate::authority::{BUNDLES, LEAF, now, trust_domain};

/// The methods that a request has something to say in. New ones go last: the corpus knows them by position.
pub(super) const METHODS: &[&str] = &[
    "spire.api.server.entry.v1.Entry/CountEntries",
    "spire.api.server.entry.v1.Entry/ListEntries",
    "spire.api.server.entry.v1.Entry/GetEntry",
    "spire.api.server.entry.v1.Entry/BatchCreateEntry",
    "spire.api.server.entry.v1.Entry/BatchUpdateEntry",
    "spire.api.server.entry.v1.Entry/BatchDeleteEntry",
    "spire.api.server.entry.v1.Entry/GetAuthorizedEntries",
    "spire.api.server.entry.v1.Entry/SyncAuthorizedEntries",
    "spire.api.server.agent.v1.Agent/CountAgents",
    "spire.api.server.agent.v1.Agent/ListAgents",
    "spire.api.server.agent.v1.Agent/GetAgent",
    "spire.api.server.agent.v1.Agent/DeleteAgent",
    "spire.api.server.agent.v1.Agent/BanAgent",
    "spire.api.server.agent.v1.Agent/AttestAgent",
    "spire.api.server.agent.v1.Agent/RenewAgent",
    "spire.api.server.agent.v1.Agent/CreateJoinToken",
    "spire.api.server.agent.v1.Agent/PostStatus",
    "spire.api.server.bundle.v1.Bundle/GetBundle",
    "spire.api.server.bundle.v1.Bundle/AppendBundle",
    "spire.api.server.bundle.v1.Bundle/PublishJWTAuthority",
    "spire.api.server.bundle.v1.Bundle/ListFederatedBundles",
    "spire.api.server.bundle.v1.Bundle/GetFederatedBundle",
    "spire.api.server.bundle.v1.Bundle/BatchCreateFederatedBundle",
    "spire.api.server.bundle.v1.Bundle/BatchUpdateFederatedBundle",
    "spire.api.server.bundle.v1.Bundle/BatchSetFederatedBundle",
    "spire.api.server.bundle.v1.Bundle/BatchDeleteFederatedBundle",
    "spire.api.server.svid.v1.SVID/MintX509SVID",
    "spire.api.server.svid.v1.SVID/MintJWTSVID",
    "spire.api.server.svid.v1.SVID/BatchNewX509SVID",
    "spire.api.server.svid.v1.SVID/NewJWTSVID",
    "spire.api.server.svid.v1.SVID/NewDownstreamX509CA",
    "spire.api.server.localauthority.v1.LocalAuthority/ActivateX509Authority",
    "spire.api.server.localauthority.v1.LocalAuthority/TaintX509Authority",
    "spire.api.server.localauthority.v1.LocalAuthority/RevokeX509Authority",
    "spire.api.server.logger.v1.Logger/SetLogLevel",
    "spire.api.server.localauthority.v1.LocalAuthority/ActivateJWTAuthority",
    "spire.api.server.localauthority.v1.LocalAuthority/TaintJWTAuthority",
    "spire.api.server.localauthority.v1.LocalAuthority/RevokeJWTAuthority",
];

pub(super) fn routes() -> Routes {
    Routes::new(entry_service(Arc::new(Server)))
        .add_service(agent_service(Arc::new(Server)))
        .add_service(bundle_service(Arc::new(Server)))
        .add_service(svid_service(Arc::new(Server)))
        .add_service(local_authority_service(Arc::new(Server)))
        .add_service(server_logger_service(Arc::new(Server)))
}

struct Server;

fn own_bundle() -> Arc<Bundle> {
    Arc::clone(BUNDLES.bundle(&trust_domain()).unwrap())
}

fn draft() -> EntryDraft {
    let id = |path| SpiffeId::new(&trust_domain(), path).unwrap();
    let selectors: SelectorSet = ["unix:uid:1"].iter().map(|text| text.parse().unwrap()).collect();
    EntryDraft::new(id("/web"), id("/spire/agent/join_token/one"), selectors)
}

fn made(draft: EntryDraft, id: Option<EntryId>) -> Result<Arc<Entry>, Status> {
    let id = id.unwrap_or_else(|| EntryId::new("one").unwrap());
    let entry = Entry::new(draft, id, &trust_domain(), now());
    entry.map(Arc::new).map_err(|error| Status::invalid_argument(error.to_string()))
}

#[async_trait]
impl EntryApi for Server {
    async fn count_entries(&self, _: &Extensions, filter: EntryFilter) -> Result<u64, Status> {
        Ok(u64::from(filter.matches(&*made(draft(), None)?)))
    }

    async fn list_entries(
        &self,
        _: &Extensions,
        filter: EntryFilter,
        page: Page<EntryId>,
    ) -> Result<Paged<Arc<Entry>>, Status> {
        let entries = [made(draft(), None)?].into_iter().filter(|entry| filter.matches(entry));
        Ok(page.cut(entries, |entry| entry.id.clone()))
    }

    async fn entry(&self, _: &Extensions, id: EntryId) -> Result<Arc<Entry>, Status> {
        made(draft(), Some(id))
    }

    async fn create_entries(
        &self,
        _: &Extensions,
        drafts: Vec<(Option<EntryId>, EntryDraft)>,
    ) -> Vec<Result<Created, Status>> {
        let create = |(id, draft)| Ok(Created { entry: made(draft, id)?, existed: false });
        drafts.into_iter().map(create).collect()
    }

    async fn update_entry(
        &self,
        _: &Extensions,
        id: EntryId,
        update: EntryUpdate,
    ) -> Result<Arc<Entry>, Status> {
        let mut draft = draft();
        update.apply(&mut draft);
        made(draft, Some(id))
    }

    async fn delete_entry(&self, _: &Extensions, _: EntryId) -> Result<(), Status> {
        Ok(())
    }

    async fn authorized_entries(&self, _: &Extensions) -> Result<Vec<Arc<Entry>>, Status> {
        Ok(vec![made(draft(), None)?])
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }
}

#[async_trait]
impl AgentApi for Server {
    async fn attest_agent(
        &self,
        _: &Extensions,
        evidence: NodeEvidence,
        _: Vec<u8>,
        dialogue: &mut dyn Dialogue,
    ) -> Result<AttestationResult, Status> {
        let mut response = evidence.payload;
        while !response.is_empty() {
            response = dialogue.challenge(response).await?;
        }
        Ok(AttestationResult { svid: X509Svid::parse_der(LEAF).unwrap(), can_reattest: false })
    }

    async fn renew_agent(&self, _: &Extensions, _: Vec<u8>) -> Result<X509Svid, Status> {
        Ok(X509Svid::parse_der(LEAF).unwrap())
    }

    async fn post_status(&self, _: &Extensions, _: String) -> Result<(), Status> {
        Ok(())
    }

    async fn count_agents(&self, _: &Extensions, _: AgentFilter) -> Result<u64, Status> {
        Ok(0)
    }

    async fn list_agents(
        &self,
        _: &Extensions,
        _: AgentFilter,
        _: Page<SpiffeId>,
    ) -> Result<Paged<Node>, Status> {
        Ok(Paged { items: Vec::new(), more: false })
    }

    async fn agent(&self, _: &Extensions, _: SpiffeId) -> Result<Node, Status> {
        nothing()
    }

    async fn delete_agent(&self, _: &Extensions, _: SpiffeId) -> Result<(), Status> {
        Ok(())
    }

    async fn ban_agent(&self, _: &Extensions, _: SpiffeId) -> Result<(), Status> {
        Ok(())
    }

    async fn create_join_token(
        &self,
        _: &Extensions,
        request: JoinTokenRequest,
    ) -> Result<JoinToken, Status> {
        let value = request.token.unwrap_or_else(|| "token".to_owned());
        let expires_at = now().checked_add(request.ttl).ok_or_else(|| Status::invalid_argument("ttl"))?;
        Ok(JoinToken { value, expires_at })
    }
}

#[async_trait]
impl BundleApi for Server {
    async fn bundle(&self, _: &Extensions) -> Result<Arc<Bundle>, Status> {
        Ok(own_bundle())
    }

    async fn append_bundle(
        &self,
        _: &Extensions,
        x509_authorities: Vec<X509Authority>,
        jwt_authorities: Vec<JwtAuthority>,
    ) -> Result<Arc<Bundle>, Status> {
        Ok(Arc::new(Bundle { x509_authorities, jwt_authorities, ..Bundle::empty(trust_domain()) }))
    }

    async fn count_bundles(&self, _: &Extensions) -> Result<u64, Status> {
        Ok(1)
    }

    async fn federated_bundles(
        &self,
        _: &Extensions,
        page: Page<TrustDomain>,
    ) -> Result<Paged<Arc<Bundle>>, Status> {
        Ok(page.cut([own_bundle()], |bundle| bundle.trust_domain.clone()))
    }

    async fn federated_bundle(
        &self,
        _: &Extensions,
        trust_domain: TrustDomain,
    ) -> Result<Arc<Bundle>, Status> {
        Ok(Arc::new(Bundle::empty(trust_domain)))
    }

    async fn create_federated_bundle(&self, _: &Extensions, bundle: Bundle) -> Result<Arc<Bundle>, Status> {
        Ok(Arc::new(bundle))
    }

    async fn update_federated_bundle(
        &self,
        _: &Extensions,
        update: BundleUpdate,
    ) -> Result<Arc<Bundle>, Status> {
        let mut bundle = Bundle::empty(update.trust_domain.clone());
        update.apply(&mut bundle);
        Ok(Arc::new(bundle))
    }

    async fn set_federated_bundle(&self, _: &Extensions, bundle: Bundle) -> Result<Arc<Bundle>, Status> {
        Ok(Arc::new(bundle))
    }

    async fn delete_federated_bundle(
        &self,
        _: &Extensions,
        _: TrustDomain,
        _: BundleDeletion,
    ) -> Result<(), Status> {
        Ok(())
    }
}

#[async_trait]
impl SvidApi for Server {
    async fn new_x509_svids(
        &self,
        _: &Extensions,
        requests: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status> {
        Ok(requests.iter().map(|_| Ok(X509Svid::parse_der(LEAF).unwrap())).collect())
    }

    async fn new_jwt_svid(&self, _: &Extensions, _: EntryId, _: Audience) -> Result<JwtSvid, Status> {
        nothing()
    }

    async fn mint_x509_svid(
        &self,
        _: &Extensions,
        _: Vec<u8>,
        _: Option<Duration>,
    ) -> Result<X509Svid, Status> {
        Ok(X509Svid::parse_der(LEAF).unwrap())
    }

    async fn mint_jwt_svid(
        &self,
        _: &Extensions,
        _: SpiffeId,
        _: Audience,
        _: Option<Duration>,
    ) -> Result<JwtSvid, Status> {
        nothing()
    }
}

#[async_trait]
impl LocalAuthorityApi for Server {
    async fn authorities(&self, _: &Extensions, _: Kind) -> Result<AuthorityStates, Status> {
        Ok(AuthorityStates::default())
    }

    async fn prepare(&self, _: &Extensions, _: Kind) -> Result<AuthorityState, Status> {
        nothing()
    }

    async fn activate(&self, _: &Extensions, _: Kind, id: String) -> Result<AuthorityState, Status> {
        Ok(AuthorityState { id, expires_at: now(), upstream_subject_key_id: None })
    }

    async fn taint(&self, _: &Extensions, _: Kind, id: String) -> Result<AuthorityState, Status> {
        Ok(AuthorityState { id, expires_at: now(), upstream_subject_key_id: None })
    }

    async fn revoke(&self, _: &Extensions, _: Kind, id: String) -> Result<AuthorityState, Status> {
        Ok(AuthorityState { id, expires_at: now(), upstream_subject_key_id: None })
    }
}

#[async_trait]
impl LoggerApi for Server {
    async fn log_levels(&self, _: &Extensions) -> Result<LogLevels, Status> {
        Ok(LogLevels { current: LogLevel::Info, launch: LogLevel::Info })
    }

    async fn set_log_level(&self, _: &Extensions, current: LogLevel) -> Result<LogLevels, Status> {
        Ok(LogLevels { current, launch: LogLevel::Info })
    }

    async fn reset_log_level(&self, ctx: &Extensions) -> Result<LogLevels, Status> {
        self.log_levels(ctx).await
    }
}

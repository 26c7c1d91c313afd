//! Agents: they join, renew and report, and operators manage them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use finial_attest::{AttestedNode, join_token_agent_id};
use finial_authorize::Grant;
use finial_identity::{
    CertificateRequest, Entry, EntryDraft, EntryId, Node, PublicKey, Selector, SpiffeId, X509Svid,
};
use finial_store::StoreError;
use finial_wire::server::{AgentApi, Dialogue};
use finial_wire::{
    AgentDenial, AgentFilter, AttestationResult, JoinToken, JoinTokenRequest, NodeEvidence, Page, Paged,
};
use tonic::{Extensions, Status};
use uuid::Uuid;

use crate::audit::{self, Facts};
use crate::core::{Core, permit};
use crate::listener::Origin;
use crate::status;

/// How long an attestation may take, with every challenge in it.
const ATTESTATION_LIMIT: Duration = Duration::from_secs(30);

pub(super) struct AgentEndpoint {
    core: Arc<Core>,
}

impl AgentEndpoint {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    async fn attest(
        &self,
        evidence: &NodeEvidence,
        address: Option<IpAddr>,
        key: &PublicKey,
        dialogue: &mut dyn Dialogue,
    ) -> Result<AttestationResult, Status> {
        let attestors = &self.core.attestors;
        let attested = attestors.attest(&evidence.kind, &evidence.payload, address, dialogue).await;
        let attested = attested.map_err(status::attest)?;
        let known = self.core.node(attested.id()).await.map_err(status::store)?;
        let grant = Grant::new_agent(&attested, known.as_ref());
        let grant = grant.map_err(|denial| status::attestation_denial(&denial))?;
        let svid = self.core.issuer.issue_x509(grant, key).await.map_err(status::issue)?;
        let recorded = self.core.store.create_or_replace_node(new_node(&attested, &svid)).await;
        self.core.visible(recorded.map_err(status::store)?).await?;
        tracing::info!(
            spiffe_id = %attested.id(),
            attestor = attested.kind(),
            replaced = known.is_some(),
            "an agent has attested"
        );
        Ok(AttestationResult { svid, can_reattest: attested.can_reattest() })
    }

    /// An entry that gives the agent of a join token one more identity; it goes when the agent is deleted.
    fn alias(&self, agent: &SpiffeId, alias: SpiffeId, now: SystemTime) -> Result<Entry, Status> {
        let selector = Selector::new("spiffe_id", agent.as_str())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let draft = EntryDraft::new(alias, agent.clone(), [selector].into_iter().collect());
        Entry::new(draft, EntryId::generate(), &self.core.trust_domain, now)
            .map_err(|error| status::entry(&error))
    }
}

#[async_trait]
impl AgentApi for AgentEndpoint {
    async fn attest_agent(
        &self,
        ctx: &Extensions,
        evidence: NodeEvidence,
        csr: Vec<u8>,
        dialogue: &mut dyn Dialogue,
    ) -> Result<AttestationResult, Status> {
        let kind = evidence.kind.clone();
        audit::about(ctx, || Facts { node_attestor_type: Some(kind.clone()), ..Facts::default() });
        self.core.limits.attestation.take(ctx, 1).await?;
        let _turn = self.core.limits.attesting.enter(1).await?;
        // The request is looked at first: a join token is not used up for one that could not be answered.
        let key = public_key(&csr)?;
        let address = ctx.get::<Origin>().and_then(Origin::address);
        let attestation = self.attest(&evidence, address, &key, dialogue);
        let in_time = self.core.clock.timeout(ATTESTATION_LIMIT, attestation).await;
        let outcome = in_time.unwrap_or_else(|_| Err(status::too_slow()));
        if let Ok(AttestationResult { svid, .. }) = &outcome {
            let agent_id = Some(svid.id().as_str().to_owned());
            audit::about(ctx, || Facts { agent_id, node_attestor_type: Some(kind), ..Facts::default() });
        }
        outcome
    }

    async fn renew_agent(&self, ctx: &Extensions, csr: Vec<u8>) -> Result<X509Svid, Status> {
        let permit = permit(ctx)?;
        let grant = Grant::agent_renewal(permit).map_err(|denial| status::denial(&denial))?;
        let current = permit.node().ok_or_else(status::no_permit)?;
        self.core.limits.x509.take(ctx, 1).await?;
        let turn = self.core.limits.signing.enter(1).await?;
        let svid = self.core.issuer.issue_x509(grant, &public_key(&csr)?).await.map_err(status::issue)?;
        drop(turn);
        let renew = |node: &mut Node| {
            if node.is_banned() {
                return Err(status::overtaken(AgentDenial::Banned));
            }
            if node.serial_number != current.serial_number {
                return Err(status::overtaken(AgentDenial::NotActive));
            }
            node.new_serial_number = Some(svid.serial_number().to_owned());
            node.new_expires_at = Some(svid.not_after());
            Ok(())
        };
        self.core.change_node(&current.id, renew).await?;
        Ok(svid)
    }

    async fn post_status(&self, ctx: &Extensions, agent_version: String) -> Result<(), Status> {
        let node = permit(ctx)?.node().ok_or_else(status::no_permit)?;
        if node.agent_version == agent_version {
            return Ok(());
        }
        self.core.limits.report.take(ctx, 1).await?;
        let report = |node: &mut Node| {
            node.agent_version.clone_from(&agent_version);
            Ok(())
        };
        self.core.change_node(&node.id, report).await.map(drop)
    }

    async fn count_agents(&self, _: &Extensions, filter: AgentFilter) -> Result<u64, Status> {
        let snapshot = self.core.index.snapshot();
        Ok(snapshot.nodes().filter(|node| filter.matches(node)).count() as u64)
    }

    async fn list_agents(
        &self,
        _: &Extensions,
        filter: AgentFilter,
        page: Page<SpiffeId>,
    ) -> Result<Paged<Node>, Status> {
        let snapshot = self.core.index.snapshot();
        let matching = |node: &&Arc<Node>| filter.matches(node);
        let Paged { items, more } = match &page.after {
            Some(after) => page.cut(snapshot.nodes_after(after).filter(matching), |node| node.id.clone()),
            None => page.cut(snapshot.nodes().filter(matching), |node| node.id.clone()),
        };
        Ok(Paged { items: items.into_iter().map(|node| Node::clone(node)).collect(), more })
    }

    async fn agent(&self, ctx: &Extensions, id: SpiffeId) -> Result<Node, Status> {
        audit::about(ctx, || Facts::of_id(&id));
        let snapshot = self.core.index.snapshot();
        snapshot.node(&id).map(|node| Node::clone(node)).ok_or_else(|| status::no_agent(&id))
    }

    async fn delete_agent(&self, ctx: &Extensions, id: SpiffeId) -> Result<(), Status> {
        audit::about(ctx, || Facts::of_id(&id));
        let deleted = match self.core.store.delete_node(&id).await {
            Ok(deleted) => deleted,
            Err(StoreError::NotFound { .. }) => return Err(status::no_agent(&id)),
            Err(error) => return Err(status::store(error)),
        };
        self.core.visible(deleted.revision).await?;
        tracing::info!(spiffe_id = %id, aliases = deleted.aliases.len(), "an agent was deleted");
        Ok(())
    }

    async fn ban_agent(&self, ctx: &Extensions, id: SpiffeId) -> Result<(), Status> {
        audit::about(ctx, || Facts::of_id(&id));
        let ban = |node: &mut Node| {
            node.serial_number.clear();
            node.new_serial_number = None;
            node.new_expires_at = None;
            Ok(())
        };
        self.core.change_node(&id, ban).await?;
        tracing::info!(spiffe_id = %id, "an agent was banned");
        Ok(())
    }

    async fn create_join_token(
        &self,
        ctx: &Extensions,
        request: JoinTokenRequest,
    ) -> Result<JoinToken, Status> {
        audit::about(ctx, || {
            request.agent_id.as_ref().map(Facts::of_id).unwrap_or_default().living(Some(request.ttl))
        });
        let now = self.core.clock.now();
        let value = request.token.unwrap_or_else(|| Uuid::new_v4().to_string());
        let agent = join_token_agent_id(&self.core.trust_domain, &value);
        let agent = agent.map_err(|error| status::join_token(&error))?;
        let alias = request.agent_id.map(|alias| self.alias(&agent, alias, now)).transpose()?;
        let expires_at = now + request.ttl;
        let token = finial_store::JoinToken::new(value.clone(), expires_at);
        self.core.store.create_token(token).await.map_err(status::store)?;
        if let Some(alias) = alias {
            match self.core.store.create_entry(alias).await {
                Ok(revision) => drop(self.core.visible(revision).await?),
                Err(error) => {
                    // A token without the identity that was asked for is of no use: the error is the answer either way.
                    let _ = self.core.store.consume_token(&value).await;
                    return Err(status::store(error));
                }
            }
        }
        Ok(JoinToken { value, expires_at })
    }
}

/// The public key of a certificate request, whose sender has proved to hold the private one. Nothing else is read.
fn public_key(csr: &[u8]) -> Result<PublicKey, Status> {
    let request = CertificateRequest::parse_der(csr).map_err(|error| status::csr(&error))?;
    Ok(request.public_key().clone())
}

fn new_node(attested: &AttestedNode, svid: &X509Svid) -> Node {
    Node {
        id: attested.id().clone(),
        attestation_type: attested.kind().to_owned(),
        serial_number: svid.serial_number().to_owned(),
        expires_at: svid.not_after(),
        new_serial_number: None,
        new_expires_at: None,
        selectors: attested.selectors().clone(),
        can_reattest: attested.can_reattest(),
        agent_version: String::new(),
    }
}

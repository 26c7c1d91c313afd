//! SVIDs for workloads: agents ask for them, by entry; operators mint them, by name.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use finial_authorize::{Grant, MintRequest, Permit};
use finial_daemon::go;
use finial_identity::{Audience, CertificateRequest, EntryId, JwtSvid, SpiffeId, X509Svid};
use finial_store::Snapshot;
use finial_wire::server::SvidApi;
use futures_util::future::join_all;
use tonic::{Extensions, Status};

use crate::admission::Turn;
use crate::audit::{self, Facts};
use crate::core::{Core, permit};
use crate::rate::RateLimit;
use crate::status;

pub(super) struct SvidEndpoint {
    core: Arc<Core>,
}

impl SvidEndpoint {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    async fn new_x509_svid(
        &self,
        permit: &Permit,
        snapshot: &Snapshot,
        entry: &EntryId,
        csr: &[u8],
    ) -> Result<X509Svid, Status> {
        let grant = self.grant(permit, snapshot, entry)?;
        let request = CertificateRequest::parse_der(csr).map_err(|error| status::csr(&error))?;
        self.core.issuer.issue_x509(grant, request.public_key()).await.map_err(status::issue)
    }

    /// Waits until the caller may have so many signatures, and then until the server can make them.
    async fn admit(&self, ctx: &Extensions, limit: &RateLimit, count: usize) -> Result<Turn<'_>, Status> {
        limit.take(ctx, count).await?;
        self.core.limits.signing.enter(count).await
    }

    fn grant(&self, permit: &Permit, snapshot: &Snapshot, entry: &EntryId) -> Result<Grant, Status> {
        let grant = Grant::workload(permit, entry, snapshot, self.core.clock.now());
        grant.map_err(|denial| status::denial(&denial))
    }

    fn minted(&self, permit: &Permit, request: MintRequest) -> Result<Grant, Status> {
        let grant = Grant::minted(permit, request, &self.core.trust_domain);
        grant.map_err(|denial| status::denial(&denial))
    }
}

/// Nothing else remembers it: a minted SVID hangs below no entry.
fn log_minted(what: &str, id: &SpiffeId, permit: &Permit, expires_at: SystemTime) {
    let operator = permit.caller_id().map_or("a local process", SpiffeId::as_str);
    let expires_at = go::format_rfc3339(expires_at);
    tracing::info!(spiffe_id = %id, operator, expires_at, "{what} minted");
}

#[async_trait]
impl SvidApi for SvidEndpoint {
    async fn new_x509_svids(
        &self,
        ctx: &Extensions,
        requests: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status> {
        let permit = permit(ctx)?;
        let _turn = self.admit(ctx, &self.core.limits.x509, requests.len()).await?;
        // Only now: an entry that went while its caller waited is not issued for.
        let snapshot = self.core.index.snapshot();
        let outcomes = requests.iter().map(async |(entry, csr)| {
            let outcome = self.new_x509_svid(permit, &snapshot, entry, csr).await;
            audit::part(ctx, audit::facts(ctx, || Facts::of_entry(entry)).as_ref(), outcome)
        });
        Ok(join_all(outcomes).await)
    }

    async fn new_jwt_svid(
        &self,
        ctx: &Extensions,
        entry: EntryId,
        audience: Audience,
    ) -> Result<JwtSvid, Status> {
        audit::about(ctx, || Facts::of_entry(&entry).meant_for(&audience));
        let _turn = self.admit(ctx, &self.core.limits.jwt, 1).await?;
        let grant = self.grant(permit(ctx)?, &self.core.index.snapshot(), &entry)?;
        self.core.issuer.issue_jwt(grant, audience).await.map_err(status::issue)
    }

    async fn mint_x509_svid(
        &self,
        ctx: &Extensions,
        csr: Vec<u8>,
        ttl: Option<Duration>,
    ) -> Result<X509Svid, Status> {
        let permit = permit(ctx)?;
        let csr = CertificateRequest::parse_der(&csr).map_err(|error| status::csr(&error))?;
        let request = MintRequest::of_csr(&csr, ttl).map_err(|error| status::csr(&error))?;
        audit::about(ctx, || Facts::default().living(ttl));
        let grant = self.minted(permit, request)?;
        let svid = self.core.issuer.issue_x509(grant, csr.public_key()).await.map_err(status::issue)?;
        log_minted("X.509-SVID", svid.id(), permit, svid.not_after());
        Ok(svid)
    }

    async fn mint_jwt_svid(
        &self,
        ctx: &Extensions,
        id: SpiffeId,
        audience: Audience,
        ttl: Option<Duration>,
    ) -> Result<JwtSvid, Status> {
        let permit = permit(ctx)?;
        audit::about(ctx, || Facts::of_id(&id).meant_for(&audience).living(ttl));
        let grant = self.minted(permit, MintRequest::new(id, ttl))?;
        let svid = self.core.issuer.issue_jwt(grant, audience).await.map_err(status::issue)?;
        log_minted("JWT-SVID", svid.id(), permit, svid.expires_at());
        Ok(svid)
    }
}

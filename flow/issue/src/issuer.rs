//! The issuer: uses up a grant and gives the SVID, signed by whatever authority is active at that moment.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use finial_authorize::{Grant, GrantKind};
use finial_daemon::Clock;
use finial_identity::{Audience, JwtSvid, PublicKey, X509Svid};
use tokio::sync::watch;

use crate::jwt::JwtRequest;
use crate::x509::X509Request;
use crate::{ActiveAuthorities, IssueConfig, IssueError, IssueMeters};

/// Signs SVIDs. Cheap to clone; all clones sign with the authorities that are active when they are called.
#[derive(Clone, Debug)]
pub struct Issuer {
    config: Arc<IssueConfig>,
    clock: Clock,
    active: watch::Receiver<Arc<ActiveAuthorities>>,
    meters: IssueMeters,
}

impl Issuer {
    pub(crate) fn new(
        config: IssueConfig,
        clock: Clock,
        active: watch::Receiver<Arc<ActiveAuthorities>>,
        meters: IssueMeters,
    ) -> Self {
        Self { config: Arc::new(config), clock, active, meters }
    }

    /// What signs now; for those who must notice when it changes, [`watch::Receiver::changed`] waits for it.
    pub fn active(&self) -> watch::Receiver<Arc<ActiveAuthorities>> {
        self.active.clone()
    }

    /// Signs an X.509-SVID (X509-SVID §2 to §4): identity, DNS names and lifetime from the grant, and never a life
    /// beyond the authority's. NotBefore is a minute back. Every kind of [`PublicKey`] gets one: EC P-256, P-384 and
    /// P-521, Ed25519, and RSA of 2048 to 8192 bits.
    ///
    /// # Errors
    /// [`IssueError::Expiring`] when the authority has too little left, and those of the signing key.
    pub async fn issue_x509(&self, grant: Grant, key: &PublicKey) -> Result<X509Svid, IssueError> {
        let default = match grant.kind() {
            GrantKind::Agent => self.config.agent_ttl(),
            GrantKind::Workload | GrantKind::Server | GrantKind::Minted => self.config.default_x509_svid_ttl,
        };
        let request = X509Request {
            id: grant.spiffe_id(),
            dns_names: grant.dns_names(),
            subject: grant.subject_der(),
            ttl: grant.x509_svid_ttl().unwrap_or(default),
        };
        let active = self.now_active();
        active.x509.issue(&request, key, self.clock.now()).await.inspect(|_| self.meters.x509_svids.add())
    }

    /// Signs a JWT-SVID (JWT-SVID §2, §3): identity and lifetime from the grant, and never a life beyond the
    /// authority's.
    ///
    /// # Errors
    /// [`IssueError::Expiring`] when the authority has too little left, and those of the signing key.
    pub async fn issue_jwt(&self, grant: Grant, audience: Audience) -> Result<JwtSvid, IssueError> {
        let request = JwtRequest {
            id: grant.spiffe_id().clone(),
            audience,
            ttl: grant.jwt_svid_ttl().unwrap_or(self.config.default_jwt_svid_ttl),
            issuer: self.config.jwt_issuer.clone(),
            with_token_id: grant.jwt_svid_includes_jti(),
        };
        let active = self.now_active();
        let svid = active.jwt.issue(request, self.clock.now()).await?;
        self.meters.jwt_svids.add();
        Ok(svid.with_hint(grant.hint()))
    }

    /// A copy, so that no lock is held while a key signs.
    fn now_active(&self) -> Arc<ActiveAuthorities> {
        Arc::clone(&self.active.borrow())
    }
}

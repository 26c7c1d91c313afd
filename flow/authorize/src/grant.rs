//! The permission to make one identity, which the issuer uses up.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_attest::AttestedNode;
use finial_identity::{CertificateRequest, CsrError, Entry, EntryId, Node, SpiffeId, TrustDomain};
use finial_store::Snapshot;

use crate::scope::is_authorized;
use crate::{Denial, Permit, Who};

/// The permission to make one SVID. Not to be cloned: the issuer takes it by value.
///
/// The identity in it comes from an entry, an attestation or the configuration; from a request only where an operator
/// mints (design rule 1).
#[derive(Debug)]
pub struct Grant(Recipient);

#[derive(Debug)]
enum Recipient {
    Workload { entry: Arc<Entry>, agent: SpiffeId },
    Agent { id: SpiffeId },
    Server { id: SpiffeId },
    Minted(MintRequest),
}

/// What an operator asks for by name, without an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintRequest {
    /// The identity, of a workload.
    pub id: SpiffeId,
    /// DNS names for an X.509-SVID; the caller has checked them.
    pub dns_names: Vec<String>,
    /// The subject of an X.509-SVID, a DER Name; that of all SVIDs when none.
    pub subject: Option<Vec<u8>>,
    /// How long it shall live; the server's default when none.
    pub ttl: Option<Duration>,
}

impl MintRequest {
    /// An identity, and nothing else.
    pub fn new(id: SpiffeId, ttl: Option<Duration>) -> Self {
        Self { id, dns_names: Vec::new(), subject: None, ttl }
    }

    /// All that a certificate request asks for.
    ///
    /// # Errors
    /// Those of [`CertificateRequest::identity`].
    pub fn of_csr(csr: &CertificateRequest, ttl: Option<Duration>) -> Result<Self, CsrError> {
        let subject = csr.has_subject().then(|| csr.subject_der().to_vec());
        Ok(Self { id: csr.identity()?, dns_names: csr.dns_names().to_vec(), subject, ttl })
    }
}

/// For whom an SVID is made; decides the default of its lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// A workload, through its agent.
    Workload,
    /// An agent, for itself.
    Agent,
    /// This server, for itself.
    Server,
    /// An operator, for whom he likes.
    Minted,
}

impl Grant {
    /// The identity of an entry, to the agent that serves it.
    ///
    /// # Errors
    /// [`Denial::Entry`] when there is no such entry, when it has expired, when it is not one of the agent's, or when
    /// the permit is not an agent's.
    pub fn workload(
        permit: &Permit,
        entry: &EntryId,
        snapshot: &Snapshot,
        now: SystemTime,
    ) -> Result<Self, Denial> {
        let refused = || Denial::Entry { id: entry.clone() };
        let node = permit.node_now(snapshot).ok_or_else(refused)?;
        let entry = snapshot.entry(entry).ok_or_else(refused)?;
        if !is_authorized(node, entry, snapshot, now) {
            return Err(refused());
        }
        Ok(Self(Recipient::Workload { entry: Arc::clone(entry), agent: node.id.clone() }))
    }

    /// The identity of an agent that has just attested. `known` is its node as the store has it, if it does.
    ///
    /// # Errors
    /// [`Denial::Banned`] when the agent is known and banned.
    pub fn new_agent(attested: &AttestedNode, known: Option<&Node>) -> Result<Self, Denial> {
        let id = attested.id().clone();
        if known.is_some_and(|node| node.id == id && node.is_banned()) {
            return Err(Denial::Banned { id });
        }
        Ok(Self(Recipient::Agent { id }))
    }

    /// The identity of the agent that makes the call, once more.
    ///
    /// # Errors
    /// [`Denial::MustReattest`] when it can attest again, and so shall; [`Denial::Method`] when the permit is not an
    /// agent's.
    pub fn agent_renewal(permit: &Permit) -> Result<Self, Denial> {
        let method = || Denial::Method { method: "/spire.api.server.agent.v1.Agent/RenewAgent".to_owned() };
        let node = permit.node().ok_or_else(method)?;
        let id = node.id.clone();
        if node.can_reattest { Err(Denial::MustReattest { id }) } else { Ok(Self(Recipient::Agent { id })) }
    }

    /// The identity of this server: `/spire/server` of its own trust domain.
    pub fn server(trust_domain: &TrustDomain) -> Self {
        Self(Recipient::Server { id: trust_domain.server_id() })
    }

    /// The identity that an operator mints: the one that is taken from a request (MintX509SVID, MintJWTSVID).
    ///
    /// # Errors
    /// [`Denial::Method`] when the permit is not an operator's; [`Denial::NotAWorkload`] when the ID is not that of a
    /// workload of `trust_domain`.
    pub fn minted(permit: &Permit, request: MintRequest, trust_domain: &TrustDomain) -> Result<Self, Denial> {
        if !matches!(permit.who(), Who::Local | Who::Admin) {
            return Err(Denial::Method { method: "/spire.api.server.svid.v1.SVID/MintX509SVID".to_owned() });
        }
        let MintRequest { id, .. } = &request;
        if !id.is_member_of(trust_domain) || !id.has_path() || id.is_reserved() {
            return Err(Denial::NotAWorkload { id: id.clone(), trust_domain: trust_domain.clone() });
        }
        Ok(Self(Recipient::Minted(request)))
    }

    /// For whom.
    pub fn kind(&self) -> GrantKind {
        match &self.0 {
            Recipient::Workload { .. } => GrantKind::Workload,
            Recipient::Agent { .. } => GrantKind::Agent,
            Recipient::Server { .. } => GrantKind::Server,
            Recipient::Minted(_) => GrantKind::Minted,
        }
    }

    /// The SPIFFE ID to put into the SVID.
    pub fn spiffe_id(&self) -> &SpiffeId {
        match &self.0 {
            Recipient::Workload { entry, .. } => &entry.spiffe_id,
            Recipient::Agent { id } | Recipient::Server { id } => id,
            Recipient::Minted(request) => &request.id,
        }
    }

    /// The entry that gives the identity; only a workload has one.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.0 {
            Recipient::Workload { entry, .. } => Some(entry),
            Recipient::Agent { .. } | Recipient::Server { .. } | Recipient::Minted(_) => None,
        }
    }

    /// The agent that asks for a workload.
    pub fn agent(&self) -> Option<&SpiffeId> {
        match &self.0 {
            Recipient::Workload { agent, .. } => Some(agent),
            Recipient::Agent { .. } | Recipient::Server { .. } | Recipient::Minted(_) => None,
        }
    }

    /// The DNS names to put into an X.509-SVID.
    pub fn dns_names(&self) -> &[String] {
        match &self.0 {
            Recipient::Minted(request) => &request.dns_names,
            _ => self.entry().map_or(&[], |entry| &entry.dns_names),
        }
    }

    /// The subject of an X.509-SVID, a DER Name; only an operator may ask for one.
    pub fn subject_der(&self) -> Option<&[u8]> {
        match &self.0 {
            Recipient::Minted(request) => request.subject.as_deref(),
            _ => None,
        }
    }

    /// How long an X.509-SVID shall live, when the entry or the operator says so.
    pub fn x509_svid_ttl(&self) -> Option<Duration> {
        match &self.0 {
            Recipient::Minted(request) => request.ttl,
            _ => self.entry().and_then(|entry| entry.x509_svid_ttl),
        }
    }

    /// How long a JWT-SVID shall live, when the entry or the operator says so.
    pub fn jwt_svid_ttl(&self) -> Option<Duration> {
        match &self.0 {
            Recipient::Minted(request) => request.ttl,
            _ => self.entry().and_then(|entry| entry.jwt_svid_ttl),
        }
    }

    /// What tells the workload which of its identities this is; may be empty.
    pub fn hint(&self) -> &str {
        self.entry().map_or("", |entry| &entry.hint)
    }

    /// Whether a JWT-SVID shall have an id (`jti`).
    pub fn jwt_svid_includes_jti(&self) -> bool {
        self.entry().is_some_and(|entry| entry.jwt_svid_includes_jti)
    }
}

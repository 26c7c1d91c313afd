//! The permission to make one identity, which the issuer uses up.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_attest::AttestedNode;
use finial_identity::{Entry, EntryId, Node, SpiffeId, TrustDomain};
use finial_store::Snapshot;

use crate::scope::is_authorized;
use crate::{Denial, Permit};

/// The permission to make one SVID. Not to be cloned: the issuer takes it by value.
///
/// The identity in it comes from an entry, an attestation or the configuration; never from a request (design rule 1).
#[derive(Debug)]
pub struct Grant(Recipient);

#[derive(Debug)]
enum Recipient {
    Workload { entry: Arc<Entry>, agent: SpiffeId },
    Agent { id: SpiffeId },
    Server { id: SpiffeId },
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
        let node = permit.node().ok_or_else(refused)?;
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

    /// For whom.
    pub fn kind(&self) -> GrantKind {
        match &self.0 {
            Recipient::Workload { .. } => GrantKind::Workload,
            Recipient::Agent { .. } => GrantKind::Agent,
            Recipient::Server { .. } => GrantKind::Server,
        }
    }

    /// The SPIFFE ID to put into the SVID.
    pub fn spiffe_id(&self) -> &SpiffeId {
        match &self.0 {
            Recipient::Workload { entry, .. } => &entry.spiffe_id,
            Recipient::Agent { id } | Recipient::Server { id } => id,
        }
    }

    /// The entry that gives the identity; only a workload has one.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.0 {
            Recipient::Workload { entry, .. } => Some(entry),
            Recipient::Agent { .. } | Recipient::Server { .. } => None,
        }
    }

    /// The agent that asks for a workload.
    pub fn agent(&self) -> Option<&SpiffeId> {
        match &self.0 {
            Recipient::Workload { agent, .. } => Some(agent),
            Recipient::Agent { .. } | Recipient::Server { .. } => None,
        }
    }

    /// The DNS names to put into an X.509-SVID.
    pub fn dns_names(&self) -> &[String] {
        self.entry().map_or(&[], |entry| &entry.dns_names)
    }

    /// How long an X.509-SVID shall live, when the entry says so.
    pub fn x509_svid_ttl(&self) -> Option<Duration> {
        self.entry().and_then(|entry| entry.x509_svid_ttl)
    }

    /// How long a JWT-SVID shall live, when the entry says so.
    pub fn jwt_svid_ttl(&self) -> Option<Duration> {
        self.entry().and_then(|entry| entry.jwt_svid_ttl)
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

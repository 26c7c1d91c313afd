//! The decision whether a caller may call a method.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use finial_attest::Caller;
use finial_identity::{Entry, Node, SpiffeId, TrustDomain, Verified, X509Svid};
use finial_store::Snapshot;
use finial_wire::AgentDenial;

use crate::methods::grounds;
use crate::permit::AgentStanding;
use crate::{Denial, Permit, Who};

/// Decides who may call what, by [`METHODS`](crate::METHODS). Reads, and records nothing.
#[derive(Clone, Debug)]
pub struct Authorizer {
    trust_domain: TrustDomain,
    admin_ids: BTreeSet<SpiffeId>,
}

impl Authorizer {
    /// For the server of `trust_domain`. `admin_ids` may administer it without an entry; they may be of another trust
    /// domain, since its roots are as trusted as the configuration that names them (SPIRE's `admin_ids`).
    pub fn new(trust_domain: TrustDomain, admin_ids: impl IntoIterator<Item = SpiffeId>) -> Self {
        Self { trust_domain, admin_ids: admin_ids.into_iter().collect() }
    }

    /// Whether `caller` may call `method`, a full name such as `/spire.api.server.entry.v1.Entry/GetEntry`.
    ///
    /// # Errors
    /// [`Denial::Method`] or [`Denial::Agent`]. Look at [`Denial::needs_confirmation`] before sending it.
    pub fn authorize(
        &self,
        caller: &Caller,
        method: &str,
        snapshot: &Snapshot,
        now: SystemTime,
    ) -> Result<Permit, Denial> {
        let node = caller.spiffe_id().and_then(|id| snapshot.node(id));
        self.decide(caller, method, snapshot, node, now)
    }

    /// The same with the caller's node as it was just read at the primary. A node of somebody else counts as none.
    ///
    /// # Errors
    /// As for [`authorize`](Self::authorize); now it is final.
    pub fn authorize_with_node(
        &self,
        caller: &Caller,
        method: &str,
        snapshot: &Snapshot,
        node: &Arc<Node>,
        now: SystemTime,
    ) -> Result<Permit, Denial> {
        let node = Some(node).filter(|node| caller.spiffe_id() == Some(&node.id));
        self.decide(caller, method, snapshot, node, now)
    }

    /// Tries each ground of the method; the first that holds decides.
    fn decide(
        &self,
        caller: &Caller,
        method: &str,
        snapshot: &Snapshot,
        node: Option<&Arc<Node>>,
        now: SystemTime,
    ) -> Result<Permit, Denial> {
        let mut denial = Denial::Method { method: method.to_owned() };
        for &who in grounds(method) {
            let holds = match (who, caller) {
                (Who::Anybody, _) | (Who::Local, Caller::Local(_)) => true,
                (Who::Admin, Caller::Spiffe(svid)) => self.is_admin(svid, snapshot, now),
                (Who::Downstream, Caller::Spiffe(svid)) => self.is_downstream(svid, snapshot, now),
                (Who::Agent, Caller::Spiffe(svid)) if self.is_agent_id(svid.id()) => {
                    let was_indexed = snapshot.node(svid.id()).is_some();
                    match standing(svid, node, was_indexed, now) {
                        Ok(standing) => return Ok(Permit::agent(svid.id().clone(), standing)),
                        Err(reason) => denial = Denial::Agent { method: method.to_owned(), reason },
                    }
                    false
                }
                _ => false,
            };
            if holds {
                return Ok(Permit::new(who, caller.spiffe_id().cloned()));
            }
        }
        Err(denial)
    }

    fn is_admin(&self, svid: &Verified<X509Svid>, snapshot: &Snapshot, now: SystemTime) -> bool {
        is_current(svid, now)
            && (self.admin_ids.contains(svid.id())
                || self.has_entry(svid.id(), snapshot, now, |entry| entry.admin))
    }

    fn is_downstream(&self, svid: &Verified<X509Svid>, snapshot: &Snapshot, now: SystemTime) -> bool {
        is_current(svid, now) && self.has_entry(svid.id(), snapshot, now, |entry| entry.downstream)
    }

    /// Entries speak for members of the own trust domain only.
    fn has_entry(
        &self,
        id: &SpiffeId,
        snapshot: &Snapshot,
        now: SystemTime,
        flag: impl Fn(&Entry) -> bool,
    ) -> bool {
        id.is_member_of(&self.trust_domain)
            && snapshot.entries_by_spiffe_id(id).any(|entry| flag(entry) && !entry.is_expired(now))
    }

    fn is_agent_id(&self, id: &SpiffeId) -> bool {
        id.is_agent() && id.is_member_of(&self.trust_domain)
    }
}

/// How an agent stands with the SVID that it presents.
fn standing(
    svid: &Verified<X509Svid>,
    node: Option<&Arc<Node>>,
    was_indexed: bool,
    now: SystemTime,
) -> Result<AgentStanding, AgentDenial> {
    if !is_current(svid, now) {
        return Err(AgentDenial::Expired);
    }
    let node = node.ok_or(AgentDenial::NotAttested)?;
    if node.is_banned() {
        return Err(AgentDenial::Banned);
    }
    let presented = svid.serial_number();
    let is_current = node.serial_number == presented;
    let is_new = node.new_serial_number.as_deref() == Some(presented);
    if !is_current && !is_new {
        return Err(AgentDenial::NotActive);
    }
    Ok(AgentStanding { node: Arc::clone(node), presents_new_serial: !is_current, was_indexed })
}

/// A connection may outlive the SVID that it was opened with.
fn is_current(svid: &X509Svid, now: SystemTime) -> bool {
    now <= svid.not_after()
}

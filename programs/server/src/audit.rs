//! The audit log: who called what, on which ground, about what, and how it ended. Off unless the configuration asks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use finial_attest::Caller;
use finial_authorize::{Permit, Who};
use finial_identity::{Audience, EntryDraft, EntryId, SpiffeId, TrustDomain};
use finial_wire::server::service_and_method;
use tonic::{Code, Extensions, Status};
use uuid::Uuid;

use crate::listener::Origin;

/// Makes the trails of calls.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    /// Who is administrator by the configuration, not by an entry.
    admin_ids: Arc<[SpiffeId]>,
}

/// What is known of one call. Endpoints find it among the extensions of the request.
#[derive(Debug)]
pub(crate) struct Trail {
    request_id: String,
    service: String,
    method: String,
    origin: Origin,
    ground: OnceLock<Ground>,
    state: Mutex<State>,
    admin_ids: Arc<[SpiffeId]>,
}

#[derive(Debug, Default)]
struct State {
    facts: Facts,
    /// How many parts of a batch have a line of their own.
    parts: usize,
}

/// On which ground a call was allowed, in SPIRE's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ground {
    authorized_as: &'static str,
    authorized_via: &'static str,
}

/// What a call is about. Never a token, a key, a request for a certificate, or the value of a selector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) spiffe_id: Option<String>,
    pub(crate) parent_id: Option<String>,
    pub(crate) entry_id: Option<String>,
    pub(crate) agent_id: Option<String>,
    pub(crate) node_attestor_type: Option<String>,
    pub(crate) trust_domain_id: Option<String>,
    pub(crate) local_authority_id: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) ttl: Option<u64>,
}

impl Audit {
    pub(crate) fn new(admin_ids: &[SpiffeId]) -> Self {
        Self { admin_ids: admin_ids.into() }
    }

    /// The trail of a call that begins.
    pub(crate) fn trail(&self, path: &str, origin: Origin) -> Trail {
        let (service, method) = service_and_method(path);
        Trail {
            request_id: Uuid::new_v4().to_string(),
            service: service.to_owned(),
            method: method.to_owned(),
            origin,
            ground: OnceLock::new(),
            state: Mutex::default(),
            admin_ids: Arc::clone(&self.admin_ids),
        }
    }
}

/// Notes what a call is about, for the line that tells how it ended. Nothing without an audit log.
pub(crate) fn about(ctx: &Extensions, facts: impl FnOnce() -> Facts) {
    if let Some(trail) = ctx.get::<Arc<Trail>>() {
        trail.state().facts = facts();
    }
}

/// What a part of a batch is about, before it is used up. `None` without an audit log.
pub(crate) fn facts(ctx: &Extensions, facts: impl FnOnce() -> Facts) -> Option<Facts> {
    ctx.get::<Arc<Trail>>().map(|_| facts())
}

/// Writes the line of a part of a batch, which has an outcome of its own, and gives the outcome back.
pub(crate) fn part<T>(
    ctx: &Extensions,
    facts: Option<&Facts>,
    outcome: Result<T, Status>,
) -> Result<T, Status> {
    if let Some((trail, facts)) = ctx.get::<Arc<Trail>>().zip(facts) {
        trail.state().parts += 1;
        let ok = Status::new(Code::Ok, "");
        trail.write(facts, outcome.as_ref().err().unwrap_or(&ok));
    }
    outcome
}

impl Facts {
    pub(crate) fn of_entry(id: &EntryId) -> Self {
        Self { entry_id: Some(id.as_str().to_owned()), ..Self::default() }
    }

    pub(crate) fn of_draft(id: Option<&EntryId>, draft: &EntryDraft) -> Self {
        Self {
            entry_id: id.map(|id| id.as_str().to_owned()),
            spiffe_id: Some(draft.spiffe_id.as_str().to_owned()),
            parent_id: Some(draft.parent_id.as_str().to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn of_id(id: &SpiffeId) -> Self {
        Self { spiffe_id: Some(id.as_str().to_owned()), ..Self::default() }
    }

    pub(crate) fn of_trust_domain(trust_domain: &TrustDomain) -> Self {
        Self { trust_domain_id: Some(trust_domain.to_string()), ..Self::default() }
    }

    pub(crate) fn of_authority(id: &str) -> Self {
        Self { local_authority_id: Some(id.to_owned()), ..Self::default() }
    }

    pub(crate) fn meant_for(self, audience: &Audience) -> Self {
        Self { audience: Some(audience.iter().collect::<Vec<_>>().join(",")), ..self }
    }

    pub(crate) fn living(self, ttl: Option<Duration>) -> Self {
        Self { ttl: ttl.map(|ttl| ttl.as_secs()), ..self }
    }
}

impl Trail {
    /// The call was allowed, on this ground.
    pub(crate) fn allowed(&self, permit: &Permit) {
        let by_config = permit.caller_id().is_some_and(|id| self.admin_ids.contains(id));
        let (authorized_as, authorized_via) = match permit.who() {
            Who::Anybody => ("nobody", ""),
            Who::Local => ("local", "transport"),
            Who::Admin if by_config => ("admin", "config"),
            Who::Admin => ("admin", "entries"),
            Who::Downstream => ("downstream", "entries"),
            Who::Agent => ("agent", "datastore"),
        };
        let _ = self.ground.set(Ground { authorized_as, authorized_via });
    }

    /// Writes the line of the call, unless its parts have theirs and all of it went well.
    pub(crate) fn end(&self, status: &Status) {
        let (facts, parts) = {
            let state = self.state();
            (state.facts.clone(), state.parts)
        };
        if parts == 0 || status.code() != Code::Ok {
            self.write(&facts, status);
        }
    }

    fn write(&self, facts: &Facts, status: &Status) {
        let failed = status.code() != Code::Ok;
        let ground = self.ground.get();
        let (process, path, address) = match self.origin.caller() {
            Caller::Local(process) => (Some(process), executable(process.pid()), None),
            Caller::Spiffe(_) | Caller::Anonymous => (None, None, self.origin.address()),
        };
        tracing::info!(
            r#type = "audit",
            request_id = self.request_id,
            service = self.service,
            method = self.method,
            status = if failed { "error" } else { "success" },
            status_code = failed.then(|| tracing::field::debug(status.code())),
            status_message = failed.then(|| status.message()),
            authorized_as = ground.map(|ground| ground.authorized_as),
            authorized_via = ground.map(|ground| ground.authorized_via),
            caller_uid = process.map(finial_attest::PeerCredentials::uid),
            caller_gid = process.map(finial_attest::PeerCredentials::gid),
            caller_pid = process.map(finial_attest::PeerCredentials::pid),
            caller_path = path.map(|path| path.display().to_string()),
            caller_addr = address.map(|address| address.to_string()),
            caller_id = self.origin.caller().spiffe_id().map(SpiffeId::as_str),
            spiffe_id = facts.spiffe_id,
            parent_id = facts.parent_id,
            entry_id = facts.entry_id,
            agent_id = facts.agent_id,
            node_attestor_type = facts.node_attestor_type,
            trust_domain_id = facts.trust_domain_id,
            local_authority_id = facts.local_authority_id,
            audience = facts.audience,
            ttl = facts.ttl,
            "API accessed"
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The program that a process runs; for people, since the process may have become another one.
fn executable(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

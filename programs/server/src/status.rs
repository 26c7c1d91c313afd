//! Every error of this program as a gRPC status: the code tells a client what to do, the text tells a person.
//!
//! What comes of our own trouble is logged here with its cause, and the caller hears only that there was some.

use std::error::Error;
use std::time::Duration;

use finial_attest::AttestError;
use finial_authorize::Denial;
use finial_daemon::go::format_duration;
use finial_identity::{CsrError, EntryError, EntryId, SpiffeId, TrustDomain};
use finial_issue::IssueError;
use finial_store::{Noun, Revision, Stopped, StoreError};
use finial_wire::{AgentDenial, denied as agent_denied, refused_until};
use tonic::{Code, Status};

use crate::rate::Exceeded;

/// What a caller hears who may not.
pub(crate) fn denial(denial: &Denial) -> Status {
    match (denial, denial.agent_reason()) {
        (Denial::Entry { .. }, _) => Status::not_found(denial.to_string()),
        (Denial::NotAWorkload { .. }, _) => Status::invalid_argument(denial.to_string()),
        (_, Some(reason)) => agent_denied(reason, denial.to_string()),
        (_, None) => Status::permission_denied(denial.to_string()),
    }
}

/// The same during attestation, in SPIRE's words.
pub(crate) fn attestation_denial(refused: &Denial) -> Status {
    match refused.agent_reason() {
        Some(reason) => agent_denied(reason, format!("failed to attest: {refused}")),
        None => denial(refused),
    }
}

/// The agent was shut out, renewed or deleted while it was being served.
pub(crate) fn overtaken(reason: AgentDenial) -> Status {
    agent_denied(reason, "agent is no longer active with this identity")
}

pub(crate) fn attest(error: AttestError) -> Status {
    match error {
        AttestError::TokenUnknown | AttestError::TokenExpired | AttestError::Evidence { .. } => {
            Status::invalid_argument(format!("failed to attest: {error}"))
        }
        AttestError::Unproven { .. } => {
            Status::permission_denied(format!("failed to attest: {}", with_causes(&error)))
        }
        AttestError::UnknownKind { .. } => Status::failed_precondition(error.to_string()),
        AttestError::Dialogue { source } => source,
        AttestError::Store { source } => store(source),
        error => internal(&error, "failed to attest"),
    }
}

/// An operator asked for a join token that cannot be one.
pub(crate) fn join_token(error: &AttestError) -> Status {
    Status::invalid_argument(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "it ends here, and `map_err` gives it away")]
pub(crate) fn store(error: StoreError) -> Status {
    match &error {
        StoreError::NotFound { noun, .. } => Status::not_found(format!("{noun} not found")),
        StoreError::Duplicate { noun: Noun::Token, .. } => {
            Status::already_exists("join token already exists")
        }
        StoreError::Duplicate { .. } => Status::already_exists(error.to_string()),
        StoreError::Conflict { .. } => Status::aborted(error.to_string()),
        StoreError::Banned { .. } => agent_denied(AgentDenial::Banned, error.to_string()),
        StoreError::NoBundle { .. } => Status::invalid_argument(error.to_string()),
        StoreError::Federated { entries, .. } => Status::failed_precondition(format!(
            "failed to delete federated bundle: cannot delete bundle; federated with {entries} registration entries"
        )),
        StoreError::Full { .. } => logged(&error, Status::resource_exhausted(error.to_string())),
        StoreError::Unavailable { .. } => logged(&error, Status::unavailable(error.to_string())),
        StoreError::Closed => Status::unavailable("server is stopping"),
        _ => internal(&error, "the datastore failed"),
    }
}

pub(crate) fn issue(error: IssueError) -> Status {
    match error {
        IssueError::NoAuthorityId
        | IssueError::UnexpectedAuthority { .. }
        | IssueError::KeyIdTaken { .. } => Status::invalid_argument(error.to_string()),
        IssueError::WrongState { .. } | IssueError::Untainted { .. } => {
            Status::failed_precondition(error.to_string())
        }
        IssueError::Expiring { .. } | IssueError::NotPublished { .. } => {
            logged(&error, Status::unavailable(error.to_string()))
        }
        IssueError::Stopped => Status::unavailable(error.to_string()),
        IssueError::Store(source) => store(source),
        error => internal(&error, "failed to sign"),
    }
}

pub(crate) fn csr(error: &CsrError) -> Status {
    Status::invalid_argument(format!("failed to parse CSR: {}", with_causes(error)))
}

pub(crate) fn entry(error: &EntryError) -> Status {
    Status::invalid_argument(format!("failed to convert entry: {error}"))
}

pub(crate) fn no_entry(_: &EntryId) -> Status {
    Status::not_found("entry not found")
}

pub(crate) fn no_agent(_: &SpiffeId) -> Status {
    Status::not_found("agent not found")
}

pub(crate) fn no_bundle(_: &TrustDomain) -> Status {
    Status::not_found("bundle not found")
}

/// No federated bundle stands for the server's own trust domain; `what` was to be done to one, in SPIRE's words.
pub(crate) fn own_trust_domain(what: &str) -> Status {
    Status::invalid_argument(format!("{what} the server's own trust domain is not allowed"))
}

pub(crate) fn own_bundle() -> Status {
    Status::invalid_argument("removing the bundle for the server trust domain is not allowed")
}

pub(crate) fn bundle_exists(_: &TrustDomain) -> Status {
    Status::already_exists("bundle already exists")
}

pub(crate) fn stopped(_: Stopped) -> Status {
    Status::unavailable("server is stopping")
}

/// The change is on disk, and the index lags: a retry would find it done.
pub(crate) fn not_yet_visible(revision: Revision) -> Status {
    tracing::error!(revision, "a change was stored, and the index has not shown it in time");
    Status::deadline_exceeded("the change was stored, and is not visible yet")
}

pub(crate) fn contended() -> Status {
    Status::aborted("too many changes at the same time: try again")
}

pub(crate) fn too_slow() -> Status {
    Status::deadline_exceeded("the call took too long")
}

/// One address asks for more than its share.
pub(crate) fn rate_exceeded(exceeded: Exceeded) -> Status {
    match exceeded {
        Exceeded::Until(after) => {
            let text = format!("rate limit exceeded: try again in {}", whole_seconds(after));
            refused_until(Code::ResourceExhausted, text, after)
        }
        Exceeded::Burst(most) => {
            Status::resource_exhausted(format!("rate limit exceeded: ask for at most {most} at a time"))
        }
    }
}

/// All together ask for more than the server can do; `what` there is too much of.
pub(crate) fn busy(what: &str, after: Duration) -> Status {
    let text = format!("server is busy: too many {what}, try again in {}", whole_seconds(after));
    refused_until(Code::ResourceExhausted, text, after)
}

/// Rounded up: whoever heeds it does not come too early.
fn whole_seconds(span: Duration) -> String {
    format_duration(Duration::from_secs(span.as_millis().div_ceil(1000) as u64))
}

/// The guard puts a permit, and the listener a caller, into every call; only a defect leaves one out.
pub(crate) fn no_permit() -> Status {
    Status::internal("the call was not authorized")
}

/// For errors whose causes a stranger may know: they are about what the stranger sent.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn internal(error: &(dyn Error + 'static), text: &'static str) -> Status {
    logged(error, Status::internal(text))
}

fn logged(error: &(dyn Error + 'static), status: Status) -> Status {
    tracing::error!(error, code = ?status.code(), "a call could not be answered");
    status
}

#[cfg(test)]
mod tests;

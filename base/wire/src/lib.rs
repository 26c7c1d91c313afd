//! Between the stages: every message that crosses a process boundary is turned into a noun, or out of one, here.
//!
//! The messages are SPIRE's and SPIFFE's, on the wire exactly as theirs. No other room sees one of them: a server
//! implements the traits of [`server`], which speak nouns, and a caller uses the types of [`client`], which do too.
//! What the two share is at the root. Paging, masks, batch statuses, streams, limits and the security header are dealt
//! with in between, once.
//!
//! `src/gen` is written by `cargo xtask proto` from the files in `proto/`.

pub mod client;
pub mod server;

mod attestation;
mod authority;
mod convert;
mod delegated;
mod denial;
mod descriptors;
mod entry_messages;
mod entry_update;
mod error;
mod explanation;
mod federated_bundle;
mod filter;
mod limits;
mod log_level;
mod page;
mod program_info;
mod proto;
mod redacted;
mod retry;
mod secrets;
mod x509_context;

pub use attestation::{AttestationResult, JoinToken, JoinTokenRequest, NodeEvidence};
pub use authority::{AuthorityState, AuthorityStates, LocalAuthorityKind};
pub use delegated::{DelegatedIdentities, DelegatedWorkload};
pub use denial::{AgentDenial, agent_denial, denied};
pub use descriptors::{ADMIN_DESCRIPTORS, SECRET_DESCRIPTORS, SERVER_DESCRIPTORS, WORKLOAD_DESCRIPTORS};
pub use entry_update::{AdditionalAttributes, EntryUpdate};
pub use explanation::{
    ExplainedAttestor, ExplainedMatch, ExplainedMiss, ExplainedProcess, ExplainedSvid, Explanation,
};
pub use federated_bundle::{BundleDeletion, BundleUpdate};
pub use filter::{AgentFilter, EntryFilter, FederatesWithMatch, SelectorMatch, SetMatch};
pub use limits::{
    MAX_ANSWER_BYTES, MAX_ARRIVAL, MAX_ATTESTATION_BYTES, MAX_AUDIENCE_BYTES, MAX_AUDIENCES, MAX_BATCH,
    MAX_LIST, MAX_LISTED, MAX_REQUEST_BYTES, MAX_SECRET_NAMES, MAX_SECRET_REQUEST_BYTES, MAX_SELECTOR_BYTES,
    MAX_SELECTORS, MAX_SILENCE, MAX_SYNCED_ENTRIES, MAX_VERSION_BYTES, MAX_WORKLOAD_REQUEST_BYTES, SYNC_PAGE,
};
pub use log_level::{LogLevel, LogLevels, UnknownLogLevel};
pub use page::{Page, Paged};
pub use program_info::{AgentInfo, ServerInfo};
pub use retry::{refused_until, retry_after};
pub use secrets::{
    EnvoyNode, Secret, SecretContent, SecretDelta, SecretDeltaRequest, SecretRequest, SecretUpdate,
};
pub use x509_context::X509Context;

#[cfg(test)]
mod harness;

//! The callers' side: the same services as in [`server`](crate::server), asked in nouns.
//!
//! A client is cheap to clone and shares its channel. Deadlines belong to the channel or to the caller. An answer that
//! breaks a rule comes back as an Internal status that says which.

mod agent;
mod attest;
mod bundle;
mod changes;
mod debug;
mod delegated;
mod entry;
mod explain;
mod local_authority;
mod logger;
mod svid;
mod sync;
#[cfg(test)]
mod tests;
mod workload;

pub use agent::AgentClient;
pub use attest::Responder;
pub use bundle::BundleClient;
pub use changes::ChangesClient;
pub use debug::{agent_info, server_info};
pub use delegated::DelegatedIdentityClient;
pub use entry::EntryClient;
pub use explain::explain;
pub use local_authority::LocalAuthorityClient;
pub use logger::LoggerClient;
pub use svid::SvidClient;
pub use sync::SyncedEntries;
pub use workload::WorkloadClient;

use std::future::ready;
use std::mem;

use futures_util::stream::{Stream, StreamExt};

use crate::MAX_LISTED;
use crate::convert::batch::at_most;
use crate::error::WireError;

/// How many items of a list are asked for at a time.
const PAGE: i32 = 500;

/// What a stream says, up to its first error, which is the last item. A message that is no protobuf is told as an error
/// again and again otherwise, and whoever passes over malformed ones would never come to an end.
fn until_error<M>(
    answers: impl Stream<Item = Result<M, tonic::Status>>,
) -> impl Stream<Item = Result<M, tonic::Status>> {
    answers.scan(false, |has_failed, answer| {
        let is_over = mem::replace(has_failed, answer.is_err());
        ready((!is_over).then_some(answer))
    })
}

/// Refuses an answer that has not one item for each item asked for.
fn same_count<T>(items: Vec<T>, asked: usize) -> Result<Vec<T>, tonic::Status> {
    if items.len() != asked {
        let found = items.len();
        return Err(tonic::Status::internal(format!(
            "the server answered {found} of {asked} items of a batch"
        )));
    }
    Ok(items)
}

/// With what to ask for the page after this one; none when it was the last. Refuses a server that would be asked for
/// ever: one that gives the page again that it gave, or more than anybody has.
fn next_page(asked: &str, next: String, listed: usize) -> Result<Option<String>, tonic::Status> {
    if next.is_empty() {
        return Ok(None);
    }
    if next == asked {
        return Err(tonic::Status::internal("the server answered a list with the same page again"));
    }
    at_most(MAX_LISTED, "items of a list", listed).map_err(WireError::bad_answer)?;
    Ok(Some(next))
}

/// The only item of a batch of one.
fn only<T>(items: Vec<T>) -> Result<T, tonic::Status> {
    let mut items = same_count(items, 1)?;
    items.pop().ok_or_else(|| tonic::Status::internal("the server answered nothing"))
}

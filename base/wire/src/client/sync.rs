//! SyncAuthorizedEntries, the agent's side.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use finial_identity::{Entry, EntryId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::convert::batch::at_most;
use crate::convert::{entry as convert, time};
use crate::error::WireError;
use crate::proto::entry::entry_client::EntryClient as Stub;
use crate::proto::entry::{
    EntryRevision, SyncAuthorizedEntriesRequest as Request, SyncAuthorizedEntriesResponse as Page,
};
use crate::proto::types::EntryMask;
use crate::{MAX_SYNCED_ENTRIES, SYNC_PAGE};

/// What an agent needs to know of an entry.
pub(super) const MASK: EntryMask = EntryMask {
    spiffe_id: true,
    parent_id: true,
    selectors: true,
    x509_svid_ttl: false,
    federates_with: true,
    admin: true,
    downstream: true,
    expires_at: true,
    dns_names: false,
    revision_number: true,
    store_svid: true,
    jwt_svid_ttl: false,
    hint: true,
    created_at: true,
    additional_attributes: true,
};

/// The outcome of a synchronisation.
#[derive(Clone, Debug, Default)]
pub struct SyncedEntries {
    /// Entries that are new or newer than what was known.
    pub changed: Vec<Entry>,
    /// All entries there are now, changed or not. What was known and is not here is gone.
    pub present: HashSet<EntryId>,
}

/// How many requests the server has of us at a time: it makes the next page while we read this one.
const AHEAD: usize = 3;

/// One synchronisation from first request to last page.
pub(super) async fn run(
    mut stub: Stub<Channel>,
    known: &HashMap<EntryId, (i64, SystemTime)>,
) -> Result<SyncedEntries, Status> {
    let (requests, outgoing) = mpsc::channel(AHEAD);
    ask(&requests, Request { output_mask: Some(MASK), ids: Vec::new() }).await?;
    let mut pages = stub.sync_authorized_entries(ReceiverStream::new(outgoing)).await?.into_inner();
    let mut synced = SyncedEntries::default();
    let mut stale = Vec::new();
    let mut page = next(&mut pages).await?;
    loop {
        // Either all entries, when they are few, or all revisions.
        synced.take(std::mem::take(&mut page.entries), known)?;
        synced.note(std::mem::take(&mut page.entry_revisions), known, &mut stale)?;
        if !page.more {
            break;
        }
        page = next(&mut pages).await?;
    }
    let mut batches = stale.chunks(SYNC_PAGE);
    let mut asked = 0;
    loop {
        for ids in batches.by_ref().take(AHEAD - asked) {
            let ids = ids.iter().map(|id: &EntryId| id.as_str().to_owned()).collect();
            ask(&requests, Request { output_mask: None, ids }).await?;
            asked += 1;
        }
        if asked == 0 {
            break;
        }
        loop {
            let page = next(&mut pages).await?;
            synced.take(page.entries, known)?;
            if !page.more {
                break;
            }
        }
        asked -= 1;
    }
    Ok(synced)
}

async fn ask(requests: &mpsc::Sender<Request>, request: Request) -> Result<(), Status> {
    requests.send(request).await.map_err(|_| ended())
}

async fn next(pages: &mut Streaming<Page>) -> Result<Page, Status> {
    pages.message().await?.ok_or_else(ended)
}

fn ended() -> Status {
    Status::unavailable("the server ended the synchronisation early")
}

impl SyncedEntries {
    /// Takes whole entries, of which some may be known.
    fn take(
        &mut self,
        entries: Vec<crate::proto::types::Entry>,
        known: &HashMap<EntryId, (i64, SystemTime)>,
    ) -> Result<(), Status> {
        for entry in entries {
            let entry = convert::entry(entry).map_err(WireError::bad_answer)?;
            let created_at = time::seconds(entry.created_at);
            self.present.insert(entry.id.clone());
            if is_stale(known.get(&entry.id), entry.revision_number, created_at) {
                self.changed.push(entry);
            }
        }
        self.bound()
    }

    /// Takes revisions, and notes the entries that have to be asked for.
    fn note(
        &mut self,
        revisions: Vec<EntryRevision>,
        known: &HashMap<EntryId, (i64, SystemTime)>,
        stale: &mut Vec<EntryId>,
    ) -> Result<(), Status> {
        for revision in revisions {
            let id = convert::id(&revision.id).map_err(WireError::bad_answer)?;
            let is_stale = is_stale(known.get(&id), revision.revision_number, revision.created_at);
            // One that is told again is not asked for again.
            if is_stale && !self.present.contains(&id) {
                stale.push(id.clone());
            }
            self.present.insert(id);
        }
        self.bound()
    }

    fn bound(&self) -> Result<(), Status> {
        let most = self.present.len().max(self.changed.len());
        at_most(MAX_SYNCED_ENTRIES, "authorized entries", most).map_err(WireError::bad_answer)
    }
}

/// Whether what is known is not this. An entry that was deleted and made again starts over with its revisions, so the
/// time of creation counts too; it travels in whole seconds.
fn is_stale(known: Option<&(i64, SystemTime)>, revision_number: i64, created_at: i64) -> bool {
    known.is_none_or(|(revision, created)| {
        *revision != revision_number || time::seconds(*created) != created_at
    })
}

#[cfg(test)]
mod tests;

//! SyncAuthorizedEntries, the agent's side.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use bytes::Bytes;
use finial_identity::{Entry, EntryId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::convert::batch::at_most;
use crate::convert::{entry as convert, time};
use crate::entry_messages::{SyncRequest as Request, SyncedPage as Page};
use crate::error::WireError;
use crate::proto::entry::entry_client::EntryClient as Stub;
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
    /// Those of the known entries that are as they were. What was known and is in neither is gone.
    pub unchanged: HashSet<EntryId>,
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
    let mut progress = Progress::new(known);
    // Either all entries, when they are few, or all revisions.
    read(&mut pages, &mut progress).await?;
    let stale = std::mem::take(&mut progress.stale);
    progress.synced.changed.reserve(stale.len());
    let mut stale = stale.into_iter().peekable();
    let mut asked = 0;
    loop {
        while asked < AHEAD && stale.peek().is_some() {
            let ids = stale.by_ref().take(SYNC_PAGE).collect();
            ask(&requests, Request { output_mask: None, ids }).await?;
            asked += 1;
        }
        if asked == 0 {
            break;
        }
        read(&mut pages, &mut progress).await?;
        asked -= 1;
    }
    Ok(progress.synced)
}

/// Takes the pages of one answer.
async fn read(pages: &mut Streaming<Page>, progress: &mut Progress<'_>) -> Result<(), Status> {
    loop {
        let page = pages.message().await?.ok_or_else(ended)?;
        let more = page.more;
        progress.take(page)?;
        if !more {
            return Ok(());
        }
    }
}

async fn ask(requests: &mpsc::Sender<Request>, request: Request) -> Result<(), Status> {
    requests.send(request).await.map_err(|_| ended())
}

fn ended() -> Status {
    Status::unavailable("the server ended the synchronisation early")
}

/// What a synchronisation has come to.
struct Progress<'a> {
    known: &'a HashMap<EntryId, (i64, SystemTime)>,
    synced: SyncedEntries,
    /// The IDs of entries that are to be asked for.
    stale: Vec<Bytes>,
    parent: convert::LastId,
    /// How many revisions and how many entries came, the same one again among them.
    came: (usize, usize),
}

impl<'a> Progress<'a> {
    fn new(known: &'a HashMap<EntryId, (i64, SystemTime)>) -> Self {
        let synced = SyncedEntries { unchanged: HashSet::with_capacity(known.len()), ..Default::default() };
        Self { known, synced, stale: Vec::new(), parent: convert::LastId::default(), came: (0, 0) }
    }

    /// Takes revisions, and whole entries, of which some may be known.
    fn take(&mut self, page: Page) -> Result<(), Status> {
        self.came.0 += page.entry_revisions.len();
        self.came.1 += page.entries.len();
        at_most(MAX_SYNCED_ENTRIES, "authorized entries", self.came.0.max(self.came.1))
            .map_err(WireError::bad_answer)?;
        for bytes in page.entry_revisions {
            let revision = convert::encoded_revision(&bytes).map_err(WireError::bad_answer)?;
            match self.known.get_key_value(revision.id) {
                Some((id, known)) if is_same(*known, revision.number, revision.created_at) => {
                    self.synced.unchanged.insert(id.clone());
                }
                // A copy: a slice would hold the page until it is asked for, with whatever else the server put in.
                _ => self.stale.push(Bytes::copy_from_slice(revision.id.as_bytes())),
            }
        }
        for bytes in page.entries {
            let entry = convert::encoded_entry(&bytes, &mut self.parent).map_err(WireError::bad_answer)?;
            let created_at = time::seconds(entry.created_at);
            let known = self.known.get(&entry.id);
            if known.is_none_or(|known| !is_same(*known, entry.revision_number, created_at)) {
                self.synced.changed.push(entry);
            } else {
                self.synced.unchanged.insert(entry.id);
            }
        }
        Ok(())
    }
}

/// Whether what is known is this. An entry that was deleted and made again starts over with its revisions, so the time of
/// creation counts too; it travels in whole seconds.
fn is_same((revision, created): (i64, SystemTime), revision_number: i64, created_at: i64) -> bool {
    revision == revision_number && time::seconds(created) == created_at
}

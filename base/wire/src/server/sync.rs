//! SyncAuthorizedEntries, the server's side: everything at once when it is little, else revisions first and then what
//! the agent asks for, page by page, for as long as patience lasts.

use std::sync::Arc;
use std::time::Duration;

use finial_identity::Entry;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use tonic::{Status, Streaming};

use super::EntryApi;
use crate::SYNC_PAGE;
use crate::convert::entry::{encode_entries, encode_revisions};
use crate::entry_messages::{SyncRequest as Request, SyncedPage as Page};
use crate::error::WireError;
use crate::limits::{MAX_SYNC, MAX_SYNC_PAUSE};
use crate::proto::types::EntryMask;

/// The output mask of the first request.
pub(super) fn first_mask(request: Option<Request>) -> Result<Option<EntryMask>, Status> {
    let request = request.ok_or(WireError::Missing("initial request")).map_err(WireError::refusal)?;
    if !request.ids.is_empty() {
        return Err(Status::invalid_argument("specifying IDs on initial request is not supported"));
    }
    if request.output_mask.is_some_and(|mask| !mask.revision_number) {
        return Err(Status::invalid_argument("revision number cannot be masked"));
    }
    Ok(request.output_mask)
}

/// Answers one call with these entries, which are in the order of their ids. The stream ends when the agent closes its side, or at once when everything fitted.
pub(super) fn serve(
    entries: Vec<Arc<Entry>>,
    mask: Option<EntryMask>,
    requests: Streaming<Request>,
    patience: Patience,
) -> BoxStream<'static, Result<Page, Status>> {
    if entries.len() <= SYNC_PAGE {
        let entries = encode_entries(entries.iter(), mask);
        return stream::iter([Ok(Page { entries, ..Page::default() })]).boxed();
    }
    let revisions = Sending::Revisions { sent: 0 };
    let exchange = Exchange { entries, mask, requests, patience, sending: revisions };
    stream::try_unfold(exchange, |mut exchange| async move {
        Ok(exchange.next_page().await?.map(|page| (page, exchange)))
    })
    .boxed()
}

struct Exchange {
    /// By id.
    entries: Vec<Arc<Entry>>,
    mask: Option<EntryMask>,
    requests: Streaming<Request>,
    patience: Patience,
    sending: Sending,
}

/// How long the server bears with an agent: so long for all of it, and so long for each request.
pub(super) struct Patience {
    api: Arc<dyn EntryApi>,
    whole: BoxFuture<'static, ()>,
}

impl Patience {
    /// Begins now.
    pub(super) fn new(api: Arc<dyn EntryApi>) -> Self {
        Self { whole: api.sleep(MAX_SYNC), api }
    }

    /// The agent's next request; none when it has closed its side.
    pub(super) async fn request(
        &mut self,
        requests: &mut Streaming<Request>,
    ) -> Result<Option<Request>, Status> {
        tokio::select! {
            biased;
            request = requests.message() => request,
            () = &mut self.whole => Err(too_long("a synchronisation", MAX_SYNC)),
            () = self.api.sleep(MAX_SYNC_PAUSE) => {
                Err(too_long("a pause between two requests of a synchronisation", MAX_SYNC_PAUSE))
            }
        }
    }
}

fn too_long(what: &str, limit: Duration) -> Status {
    Status::deadline_exceeded(format!("{what} may last {} s at most", limit.as_secs()))
}

enum Sending {
    /// The revisions of all entries, of which so many are sent.
    Revisions { sent: usize },
    /// The entries at these places, last first.
    Entries { places: Vec<usize> },
    /// Nothing until the agent asks.
    Nothing,
}

impl Exchange {
    /// Where the entry with this id is. Most agents ask in our order, so `guess` is looked at first.
    fn place(&self, id: &[u8], guess: usize) -> Option<usize> {
        let is_it = |entry: &Arc<Entry>| entry.id.as_str().as_bytes() == id;
        if self.entries.get(guess).is_some_and(is_it) {
            return Some(guess);
        }
        self.entries.binary_search_by(|entry| entry.id.as_str().as_bytes().cmp(id)).ok()
    }

    async fn next_page(&mut self) -> Result<Option<Page>, Status> {
        match &mut self.sending {
            Sending::Revisions { sent } => {
                let end = (*sent + SYNC_PAGE).min(self.entries.len());
                let entry_revisions = encode_revisions(self.entries[*sent..end].iter());
                let more = end < self.entries.len();
                self.sending = if more { Sending::Revisions { sent: end } } else { Sending::Nothing };
                Ok(Some(Page { entry_revisions, more, ..Page::default() }))
            }
            Sending::Entries { places } => {
                let rest = places.len().saturating_sub(SYNC_PAGE);
                let page = places.split_off(rest);
                let entries = encode_entries(page.iter().rev().map(|place| &self.entries[*place]), self.mask);
                if rest == 0 {
                    self.sending = Sending::Nothing;
                }
                Ok(Some(Page { entries, more: rest > 0, ..Page::default() }))
            }
            Sending::Nothing => {
                let Some(request) = self.patience.request(&mut self.requests).await? else { return Ok(None) };
                // What the agent may not have, or what is gone, is passed over, as SPIRE does.
                let mut places: Vec<usize> = Vec::with_capacity(request.ids.len());
                for id in &request.ids {
                    places.extend(self.place(id, places.last().map_or(0, |last| last + 1)));
                }
                places.reverse();
                self.sending = Sending::Entries { places };
                Box::pin(self.next_page()).await
            }
        }
    }
}

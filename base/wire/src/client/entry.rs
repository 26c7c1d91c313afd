//! Asks spire.api.server.entry.v1.Entry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use finial_identity::{Entry, EntryDraft, EntryId};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{PAGE, SyncedEntries, next_page, only, same_count, sync};
use crate::convert::{entry as convert, status};
use crate::entry_messages::{NewEntries, NewEntryResult};
use crate::error::WireError;
use crate::proto::entry as proto;
use crate::proto::entry::entry_client::EntryClient as Stub;
use crate::server::Created;
use crate::{EntryFilter, EntryUpdate, MAX_ANSWER_BYTES, MAX_BATCH};

/// Asks a server about entries.
#[derive(Clone, Debug)]
pub struct EntryClient(Stub<Channel>);

impl EntryClient {
    /// Asks over this channel.
    pub fn new(channel: Channel) -> Self {
        Self(Stub::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn count_entries(&self, filter: EntryFilter) -> Result<u64, Status> {
        let request = proto::CountEntriesRequest { filter: Some(convert::to_count_filter(filter)) };
        let answer = self.0.clone().count_entries(request).await?.into_inner();
        Ok(u64::try_from(answer.count).unwrap_or(0))
    }

    /// All the entries, fetched page by page.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn list_entries(&self, filter: EntryFilter) -> Result<Vec<Entry>, Status> {
        let filter = Some(convert::to_list_filter(filter));
        let mut entries = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = proto::ListEntriesRequest {
                filter: filter.clone(),
                output_mask: None,
                page_size: PAGE,
                page_token: page_token.clone(),
            };
            let page = self.0.clone().list_entries(request).await?.into_inner();
            for entry in page.entries {
                entries.push(convert::entry(&entry).map_err(WireError::bad_answer)?);
            }
            match next_page(&page_token, page.next_page_token, entries.len())? {
                Some(next) => page_token = next,
                None => return Ok(entries),
            }
        }
    }

    /// One entry.
    ///
    /// # Errors
    /// NotFound, or the server's refusal.
    pub async fn entry(&self, id: &EntryId) -> Result<Entry, Status> {
        let request = proto::GetEntryRequest { id: id.as_str().to_owned(), output_mask: None };
        let answer = self.0.clone().get_entry(request).await?.into_inner();
        convert::entry(&answer).map_err(WireError::bad_answer)
    }

    /// Makes an entry, under this ID or one of the server's choice.
    ///
    /// # Errors
    /// The server's refusal. That a similar entry exists is no error: [`Created::existed`] says so.
    pub async fn create_entry(&self, id: Option<&EntryId>, draft: &EntryDraft) -> Result<Created, Status> {
        let entries = vec![convert::encode_draft(id, draft)];
        let request = NewEntries { entries, output_mask: None };
        let result = only(self.0.clone().batch_create_entry(request).await?.into_inner().results)?;
        created(result, &mut convert::LastId::default())
    }

    /// Makes entries, each under its ID or one of the server's choice: one outcome for each, in their order. More than
    /// [`MAX_BATCH`] go in several calls.
    ///
    /// # Errors
    /// The server's refusal of a whole call; those before it have had their effect.
    pub async fn create_entries(
        &self,
        wanted: &[(Option<EntryId>, EntryDraft)],
    ) -> Result<Vec<Result<Created, Status>>, Status> {
        let mut outcomes = Vec::with_capacity(wanted.len());
        let mut parent = convert::LastId::default();
        for batch in wanted.chunks(MAX_BATCH) {
            let entries = batch.iter().map(|(id, draft)| convert::encode_draft(id.as_ref(), draft)).collect();
            let request = NewEntries { entries, output_mask: None };
            let answer = self.0.clone().batch_create_entry(request).await?.into_inner();
            let results = same_count(answer.results, batch.len())?.into_iter();
            outcomes.extend(results.map(|result| created(result, &mut parent)));
        }
        Ok(outcomes)
    }

    /// Changes an entry.
    ///
    /// # Errors
    /// NotFound, or the server's refusal.
    pub async fn update_entry(&self, id: &EntryId, update: EntryUpdate) -> Result<Entry, Status> {
        let (entry, mask) = convert::to_update(id, update);
        let request = proto::BatchUpdateEntryRequest {
            entries: vec![entry],
            input_mask: Some(mask),
            output_mask: None,
        };
        let result = only(self.0.clone().batch_update_entry(request).await?.into_inner().results)?;
        status::result(result.status)?;
        let entry = result.entry.ok_or(WireError::Missing("updated entry"));
        entry.and_then(|entry| convert::entry(&entry)).map_err(WireError::bad_answer)
    }

    /// Deletes an entry.
    ///
    /// # Errors
    /// NotFound, or the server's refusal.
    pub async fn delete_entry(&self, id: &EntryId) -> Result<(), Status> {
        let request = proto::BatchDeleteEntryRequest { ids: vec![id.as_str().to_owned()] };
        let result = only(self.0.clone().batch_delete_entry(request).await?.into_inner().results)?;
        status::result(result.status)
    }

    /// All the entries that the agent that calls may serve.
    ///
    /// # Errors
    /// The server's refusal; see [`agent_denial`](crate::agent_denial).
    pub async fn authorized_entries(&self) -> Result<Vec<Entry>, Status> {
        let request = proto::GetAuthorizedEntriesRequest { output_mask: Some(sync::MASK) };
        let answer = self.0.clone().get_authorized_entries(request).await?.into_inner();
        answer.entries.iter().map(convert::entry).collect::<Result<_, _>>().map_err(WireError::bad_answer)
    }

    /// What is new among the entries that the agent that calls may serve. `known` is what it holds: revision number and
    /// time of creation. Lifetimes and DNS names are the server's business and are not fetched.
    ///
    /// # Errors
    /// The server's refusal; see [`agent_denial`](crate::agent_denial).
    pub async fn sync_authorized_entries(
        &self,
        known: &HashMap<EntryId, (i64, SystemTime)>,
    ) -> Result<SyncedEntries, Status> {
        sync::run(self.0.clone(), known).await
    }
}

fn created(result: NewEntryResult, parent: &mut convert::LastId) -> Result<Created, Status> {
    let existed = match status::result(result.status) {
        Ok(()) => false,
        // Only with the entry: an ID that is taken by another entry is refused with the same code.
        Err(error) if error.code() == Code::AlreadyExists && result.entry.is_some() => true,
        Err(error) => return Err(error),
    };
    let entry = result.entry.ok_or(WireError::Missing("created entry"));
    let entry =
        entry.and_then(|entry| convert::encoded_entry(&entry, parent)).map_err(WireError::bad_answer)?;
    Ok(Created { entry: Arc::new(entry), existed })
}

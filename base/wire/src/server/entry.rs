//! spire.api.server.entry.v1.Entry: entries are managed by operators and followed by agents.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use finial_identity::{Entry, EntryDraft, EntryId};
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::BoxStream;
use tonic::{Code, Extensions, Request, Response, Status, Streaming};

use super::{GrpcService, split, sync};
use crate::convert::entry as convert;
use crate::convert::{batch, count, page, status};
use crate::entry_messages::{NewEntries, NewEntryResult, NewEntryResults, SyncRequest, SyncedPage};
use crate::error::WireError;
use crate::proto::entry as proto;
use crate::proto::entry::entry_server;
use crate::proto::types;
use crate::{EntryFilter, EntryUpdate, MAX_REQUEST_BYTES, Page, Paged};

/// What a server does with entries.
///
/// The items of a batch are handed over together, so that they may share a commit.
#[async_trait]
pub trait EntryApi: Send + Sync + 'static {
    /// How many entries there are.
    async fn count_entries(&self, ctx: &Extensions, filter: EntryFilter) -> Result<u64, Status>;

    /// The entries, sorted by ID.
    async fn list_entries(
        &self,
        ctx: &Extensions,
        filter: EntryFilter,
        page: Page<EntryId>,
    ) -> Result<Paged<Arc<Entry>>, Status>;

    /// One entry; NotFound when there is none.
    async fn entry(&self, ctx: &Extensions, id: EntryId) -> Result<Arc<Entry>, Status>;

    /// Checks and makes entries, each under its ID or one of the server's choice; gives as many outcomes, in order. One
    /// that is refused keeps out no other.
    async fn create_entries(
        &self,
        ctx: &Extensions,
        drafts: Vec<(Option<EntryId>, EntryDraft)>,
    ) -> Vec<Result<Created, Status>>;

    /// Changes an entry; NotFound when there is none.
    async fn update_entry(
        &self,
        ctx: &Extensions,
        id: EntryId,
        update: EntryUpdate,
    ) -> Result<Arc<Entry>, Status>;

    /// Deletes an entry; NotFound when there is none.
    async fn delete_entry(&self, ctx: &Extensions, id: EntryId) -> Result<(), Status>;

    /// The entries that the calling agent may serve. GetAuthorizedEntries and SyncAuthorizedEntries are built on it.
    /// In the order of their ids.
    async fn authorized_entries(&self, ctx: &Extensions) -> Result<Vec<Arc<Entry>>, Status>;

    /// Lets this much time pass, by the server's clock: a synchronisation is given up that takes too long.
    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()>;
}

/// The outcome of creating an entry.
#[derive(Clone, Debug)]
pub struct Created {
    /// The new entry, or the one that was there.
    pub entry: Arc<Entry>,
    /// Whether one with the same SPIFFE ID, parent and selectors was there already. Nothing was made then.
    pub existed: bool,
}

/// Puts an [`EntryApi`] on the wire.
pub fn entry_service(api: Arc<dyn EntryApi>) -> impl GrpcService {
    entry_server::EntryServer::new(Adapter(api)).max_decoding_message_size(MAX_REQUEST_BYTES)
}

struct Adapter(Arc<dyn EntryApi>);

impl Adapter {
    /// One outcome for each, in order.
    async fn create(&self, ctx: &Extensions, entries: Vec<Bytes>) -> Vec<Result<Created, Status>> {
        let mut refusals = Vec::with_capacity(entries.len());
        let mut drafts = Vec::with_capacity(entries.len());
        let mut parent = convert::LastId::default();
        for entry in entries {
            match convert::encoded_draft(&entry, &mut parent) {
                Ok(draft) => {
                    drafts.push(draft);
                    refusals.push(None);
                }
                Err(error) => refusals.push(Some(error.refusal_of("failed to convert entry"))),
            }
        }
        let mut outcomes = self.0.create_entries(ctx, drafts).await.into_iter();
        let outcome = |refusal: Option<Status>| match refusal {
            Some(refusal) => Err(refusal),
            None => outcomes.next().unwrap_or_else(|| Err(Status::internal("an entry has no outcome"))),
        };
        refusals.into_iter().map(outcome).collect()
    }

    async fn update(
        &self,
        ctx: &Extensions,
        entry: types::Entry,
        mask: Option<types::EntryMask>,
    ) -> Result<Arc<Entry>, Status> {
        let (id, update) =
            convert::update(entry, mask).map_err(|error| error.refusal_of("failed to convert entry"))?;
        self.0.update_entry(ctx, id, update).await
    }

    async fn delete(&self, ctx: &Extensions, id: &str) -> Result<(), Status> {
        self.0.delete_entry(ctx, convert::id(id).map_err(WireError::refusal)?).await
    }
}

#[async_trait]
impl entry_server::Entry for Adapter {
    type SyncAuthorizedEntriesStream = BoxStream<'static, Result<SyncedPage, Status>>;

    async fn count_entries(
        &self,
        request: Request<proto::CountEntriesRequest>,
    ) -> Result<Response<proto::CountEntriesResponse>, Status> {
        let (ctx, request) = split(request);
        let entries = self.0.count_entries(&ctx, convert::count_filter(request.filter)?).await?;
        Ok(Response::new(proto::CountEntriesResponse { count: count(entries) }))
    }

    async fn list_entries(
        &self,
        request: Request<proto::ListEntriesRequest>,
    ) -> Result<Response<proto::ListEntriesResponse>, Status> {
        let (ctx, request) = split(request);
        let filter = convert::list_filter(request.filter)?;
        let page = page::entries(request.page_size, &request.page_token)?;
        let entries = self.0.list_entries(&ctx, filter, page).await?;
        Ok(Response::new(proto::ListEntriesResponse {
            next_page_token: page::next_token(&entries, |entry| entry.id.as_str()),
            entries: entries
                .items
                .iter()
                .map(|entry| convert::to_entry(entry, request.output_mask))
                .collect(),
        }))
    }

    async fn get_entry(
        &self,
        request: Request<proto::GetEntryRequest>,
    ) -> Result<Response<types::Entry>, Status> {
        let (ctx, request) = split(request);
        let entry = self.0.entry(&ctx, convert::id(&request.id).map_err(WireError::refusal)?).await?;
        Ok(Response::new(convert::to_entry(&entry, request.output_mask)))
    }

    async fn batch_create_entry(
        &self,
        request: Request<NewEntries>,
    ) -> Result<Response<NewEntryResults>, Status> {
        let (ctx, request) = split(request);
        batch::check("entries", request.entries.len())?;
        let outcomes = self.create(&ctx, request.entries).await;
        let entries: Vec<_> = outcomes.iter().flatten().map(|created| Arc::clone(&created.entry)).collect();
        let mut entries = convert::encode_entries(entries.iter(), request.output_mask).into_iter();
        let results = outcomes.into_iter().map(|outcome| {
            let (status, entry) = match outcome {
                Ok(Created { existed: false, .. }) => (status::ok(), entries.next()),
                Ok(Created { existed: true, .. }) => {
                    (status::item(Code::AlreadyExists, "similar entry already exists"), entries.next())
                }
                Err(error) => (status::of(&error), None),
            };
            NewEntryResult { status: Some(status), entry }
        });
        Ok(Response::new(NewEntryResults { results: results.collect() }))
    }

    async fn batch_update_entry(
        &self,
        request: Request<proto::BatchUpdateEntryRequest>,
    ) -> Result<Response<proto::BatchUpdateEntryResponse>, Status> {
        let (ctx, request) = split(request);
        batch::check("entries", request.entries.len())?;
        let updates = request.entries.into_iter().map(|entry| self.update(&ctx, entry, request.input_mask));
        let results = join_all(updates).await.into_iter().map(|outcome| {
            let (status, entry) = status::outcome(outcome);
            let entry = entry.map(|entry| convert::to_entry(&entry, request.output_mask));
            proto::batch_update_entry_response::Result { status: Some(status), entry }
        });
        Ok(Response::new(proto::BatchUpdateEntryResponse { results: results.collect() }))
    }

    async fn batch_delete_entry(
        &self,
        request: Request<proto::BatchDeleteEntryRequest>,
    ) -> Result<Response<proto::BatchDeleteEntryResponse>, Status> {
        let (ctx, request) = split(request);
        batch::check("entry ids", request.ids.len())?;
        let outcomes = join_all(request.ids.iter().map(|id| self.delete(&ctx, id))).await;
        let results = outcomes.into_iter().zip(&request.ids).map(|(outcome, id)| {
            let (status, _) = status::outcome(outcome);
            proto::batch_delete_entry_response::Result { status: Some(status), id: id.clone() }
        });
        Ok(Response::new(proto::BatchDeleteEntryResponse { results: results.collect() }))
    }

    async fn get_authorized_entries(
        &self,
        request: Request<proto::GetAuthorizedEntriesRequest>,
    ) -> Result<Response<proto::GetAuthorizedEntriesResponse>, Status> {
        let (ctx, request) = split(request);
        let entries = self.0.authorized_entries(&ctx).await?;
        let entries = entries.iter().map(|entry| convert::to_entry(entry, request.output_mask)).collect();
        Ok(Response::new(proto::GetAuthorizedEntriesResponse { entries }))
    }

    async fn sync_authorized_entries(
        &self,
        request: Request<Streaming<SyncRequest>>,
    ) -> Result<Response<Self::SyncAuthorizedEntriesStream>, Status> {
        let (ctx, mut requests) = split(request);
        // Both as early as possible, so that a refusal is the answer to the call itself.
        let entries = self.0.authorized_entries(&ctx).await?;
        let mut patience = sync::Patience::new(Arc::clone(&self.0));
        let mask = sync::first_mask(patience.request(&mut requests).await?)?;
        Ok(Response::new(sync::serve(entries, mask, requests, patience)))
    }
}

#[cfg(test)]
mod tests;

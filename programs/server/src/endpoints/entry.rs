//! Entries: operators manage them, and agents ask for theirs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_authorize::authorized_entries;
use finial_identity::{Entry, EntryDraft, EntryId};
use finial_store::{Revision, Snapshot, StoreError};
use finial_wire::server::{Created, EntryApi};
use finial_wire::{EntryFilter, EntryUpdate, Page, Paged};
use futures_util::future::BoxFuture;
use tonic::{Extensions, Status};

use crate::audit::{self, Facts};
use crate::core::{ATTEMPTS, Core, permit};
use crate::status;

pub(super) struct EntryEndpoint {
    core: Arc<Core>,
}

impl EntryEndpoint {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The entry as the primary has it.
    async fn stored(&self, id: &EntryId) -> Result<Entry, Status> {
        let mut entries = self.core.store.entries(std::slice::from_ref(id)).await.map_err(status::store)?;
        entries.pop().ok_or_else(|| status::no_entry(id))
    }

    /// What the caller is told of an entry that was to be made; the snapshot has all that were.
    async fn created(
        &self,
        id: &EntryId,
        stored: Result<Revision, StoreError>,
        snapshot: &Result<Arc<Snapshot>, Status>,
    ) -> Result<Created, Status> {
        match stored {
            Ok(_) => {
                let entry = snapshot.as_ref().map_err(Status::clone)?.entry(id);
                Ok(Created { entry: entry.cloned().ok_or_else(|| status::no_entry(id))?, existed: false })
            }
            Err(StoreError::Duplicate { existing, .. }) => {
                Ok(Created { entry: self.existing(&existing).await?, existed: true })
            }
            Err(error) => Err(status::store(error)),
        }
    }

    /// The entry that is in the way of a new one.
    async fn existing(&self, name: &str) -> Result<Arc<Entry>, Status> {
        let id = EntryId::new(name).map_err(|error| status::entry(&error))?;
        self.stored(&id).await.map(Arc::new)
    }

    /// One attempt to change an entry; `None` when somebody else was faster.
    async fn try_update(&self, id: &EntryId, update: EntryUpdate) -> Result<Option<Arc<Entry>>, Status> {
        let seen = self.stored(id).await?;
        let (revision_number, created_at) = (seen.revision_number, seen.created_at);
        let mut draft = seen.into_draft();
        update.apply(&mut draft);
        let entry = Entry::new(draft, id.clone(), &self.core.trust_domain, created_at);
        let mut entry = entry.map_err(|error| status::entry(&error))?;
        entry.revision_number = revision_number;
        match self.core.store.update_entry(entry).await {
            Ok(revision) => {
                let snapshot = self.core.visible(revision).await?;
                // Gone again already: somebody has deleted it since.
                Ok(Some(Arc::clone(snapshot.entry(id).ok_or_else(|| status::no_entry(id))?)))
            }
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(status::store(error)),
        }
    }

    /// Makes those that can be made in one go.
    async fn create(&self, drafts: Vec<(Option<EntryId>, EntryDraft)>) -> Vec<Result<Created, Status>> {
        let (now, trust_domain) = (self.core.clock.now(), &self.core.trust_domain);
        let checked = drafts.into_iter().map(|(id, draft)| {
            let entry = Entry::new(draft, id.unwrap_or_else(EntryId::generate), trust_domain, now);
            entry.map_err(|error| status::entry(&error))
        });
        let checked: Vec<Result<Entry, Status>> = checked.collect();
        let entries = checked.iter().flatten().cloned().collect();
        let stored = match self.core.store.create_entries(entries).await {
            Ok(stored) => stored,
            Err(error) => {
                let failure = status::store(error);
                return checked.into_iter().map(|entry| entry.and(Err(failure.clone()))).collect();
            }
        };
        let newest = stored.iter().flatten().max().copied();
        let snapshot = self.core.visible(newest.unwrap_or_default()).await;
        let (mut stored, mut outcomes) = (stored.into_iter(), Vec::with_capacity(checked.len()));
        for entry in checked {
            outcomes.push(match entry {
                Ok(entry) => {
                    let stored = stored.next().unwrap_or(Err(StoreError::Closed));
                    self.created(&entry.id, stored, &snapshot).await
                }
                Err(refusal) => Err(refusal),
            });
        }
        outcomes
    }

    async fn update(&self, id: &EntryId, update: &EntryUpdate) -> Result<Arc<Entry>, Status> {
        for _ in 0..ATTEMPTS {
            if let Some(entry) = self.try_update(id, update.clone()).await? {
                return Ok(entry);
            }
        }
        Err(status::contended())
    }
}

#[async_trait]
impl EntryApi for EntryEndpoint {
    async fn count_entries(&self, _: &Extensions, filter: EntryFilter) -> Result<u64, Status> {
        let snapshot = self.core.index.snapshot();
        Ok(snapshot.entries().filter(|entry| filter.matches(entry)).count() as u64)
    }

    async fn list_entries(
        &self,
        _: &Extensions,
        filter: EntryFilter,
        page: Page<EntryId>,
    ) -> Result<Paged<Arc<Entry>>, Status> {
        let snapshot = self.core.index.snapshot();
        let matching = |entry: &&Arc<Entry>| filter.matches(entry);
        let key = |entry: &Arc<Entry>| entry.id.clone();
        Ok(match &page.after {
            Some(after) => page.cut(snapshot.entries_after(after).filter(matching).cloned(), key),
            None => page.cut(snapshot.entries().filter(matching).cloned(), key),
        })
    }

    async fn entry(&self, ctx: &Extensions, id: EntryId) -> Result<Arc<Entry>, Status> {
        audit::about(ctx, || Facts::of_entry(&id));
        let snapshot = self.core.index.snapshot();
        snapshot.entry(&id).cloned().ok_or_else(|| status::no_entry(&id))
    }

    async fn create_entries(
        &self,
        ctx: &Extensions,
        drafts: Vec<(Option<EntryId>, EntryDraft)>,
    ) -> Vec<Result<Created, Status>> {
        let facts = |(id, draft): &(Option<EntryId>, EntryDraft)| {
            audit::facts(ctx, || Facts::of_draft(id.as_ref(), draft))
        };
        let facts: Vec<_> = drafts.iter().map(facts).collect();
        let outcomes = self.create(drafts).await.into_iter().zip(&facts);
        outcomes.map(|(outcome, facts)| audit::part(ctx, facts.as_ref(), outcome)).collect()
    }

    async fn update_entry(
        &self,
        ctx: &Extensions,
        id: EntryId,
        update: EntryUpdate,
    ) -> Result<Arc<Entry>, Status> {
        let facts = audit::facts(ctx, || Facts::of_entry(&id));
        audit::part(ctx, facts.as_ref(), self.update(&id, &update).await)
    }

    async fn delete_entry(&self, ctx: &Extensions, id: EntryId) -> Result<(), Status> {
        let facts = audit::facts(ctx, || Facts::of_entry(&id));
        let outcome = match self.core.store.delete_entry(&id).await {
            Ok(revision) => self.core.visible(revision).await.map(drop),
            Err(StoreError::NotFound { .. }) => Err(status::no_entry(&id)),
            Err(error) => Err(status::store(error)),
        };
        audit::part(ctx, facts.as_ref(), outcome)
    }

    async fn authorized_entries(&self, ctx: &Extensions) -> Result<Vec<Arc<Entry>>, Status> {
        let node = permit(ctx)?.node().ok_or_else(status::no_permit)?;
        Ok(authorized_entries(node, &self.core.index.snapshot(), self.core.clock.now()))
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        let clock = self.core.clock.clone();
        Box::pin(async move { clock.sleep(pause).await })
    }
}

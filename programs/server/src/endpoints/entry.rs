//! Entries: operators manage them, and agents ask for theirs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_authorize::authorized_entries;
use finial_identity::{Entry, EntryDraft, EntryId};
use finial_store::StoreError;
use finial_wire::server::{Created, EntryApi};
use finial_wire::{EntryFilter, EntryUpdate, Page, Paged};
use futures_util::future::BoxFuture;
use tonic::{Extensions, Status};

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

    async fn entry(&self, _: &Extensions, id: EntryId) -> Result<Arc<Entry>, Status> {
        let snapshot = self.core.index.snapshot();
        snapshot.entry(&id).cloned().ok_or_else(|| status::no_entry(&id))
    }

    async fn create_entry(
        &self,
        _: &Extensions,
        id: Option<EntryId>,
        draft: EntryDraft,
    ) -> Result<Created, Status> {
        let id = id.unwrap_or_else(EntryId::random);
        let entry = Entry::new(draft, id.clone(), &self.core.trust_domain, self.core.clock.now());
        let entry = entry.map_err(|error| status::entry(&error))?;
        match self.core.store.create_entry(entry).await {
            Ok(revision) => {
                let snapshot = self.core.visible(revision).await?;
                let entry = snapshot.entry(&id).cloned().ok_or_else(|| status::no_entry(&id))?;
                Ok(Created { entry, existed: false })
            }
            Err(StoreError::Duplicate { existing, .. }) => {
                Ok(Created { entry: self.existing(&existing).await?, existed: true })
            }
            Err(error) => Err(status::store(error)),
        }
    }

    async fn update_entry(
        &self,
        _: &Extensions,
        id: EntryId,
        update: EntryUpdate,
    ) -> Result<Arc<Entry>, Status> {
        for _ in 0..ATTEMPTS {
            if let Some(entry) = self.try_update(&id, update.clone()).await? {
                return Ok(entry);
            }
        }
        Err(status::contended())
    }

    async fn delete_entry(&self, _: &Extensions, id: EntryId) -> Result<(), Status> {
        match self.core.store.delete_entry(&id).await {
            Ok(revision) => self.core.visible(revision).await.map(drop),
            Err(StoreError::NotFound { .. }) => Err(status::no_entry(&id)),
            Err(error) => Err(status::store(error)),
        }
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

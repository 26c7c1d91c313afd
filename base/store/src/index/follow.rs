//! Reads the store into snapshots: all of it once, then what has changed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Backoff, Clock};
use finial_identity::{EntryId, SpiffeId};
use tokio::sync::watch;

use super::Snapshot;
use crate::{Change, ChangeKind, DataStore, StoreError};

/// Reads everything. What changes meanwhile is read again from the log, so that the result holds its revision whole.
pub(super) async fn load(store: &dyn DataStore) -> Result<Snapshot, StoreError> {
    let mut snapshot = Snapshot::begin(store.revision().await?);
    snapshot.replace_bundles(store.bundles().await?);
    let mut last: Option<EntryId> = None;
    loop {
        let page = store.scan_entries(last.as_ref(), PAGE).await?;
        let Some(entry) = page.last() else { break };
        last = Some(entry.id.clone());
        page.into_iter().for_each(|entry| snapshot.insert_entry(entry));
    }
    let mut last: Option<SpiffeId> = None;
    loop {
        let page = store.scan_nodes(last.as_ref(), PAGE).await?;
        let Some(node) = page.last() else { break };
        last = Some(node.id.clone());
        page.into_iter().for_each(|node| snapshot.insert_node(node));
    }
    apply_changes(store, &mut snapshot).await?;
    Ok(snapshot)
}

/// Publishes a snapshot after each batch of changes, for ever. Failures of the store are waited out.
pub(super) async fn follow(
    store: &dyn DataStore,
    mut snapshot: Snapshot,
    publish: &watch::Sender<Arc<Snapshot>>,
    clock: &Clock,
) {
    let mut commits = store.subscribe();
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    let mut diverged = false;
    loop {
        commits.mark_unchanged();
        match catch_up(store, &snapshot, diverged).await {
            Ok(next) => {
                backoff.reset();
                if diverged || next.revision() > snapshot.revision() {
                    snapshot = next;
                    publish.send_replace(Arc::new(snapshot.clone()));
                }
                diverged = false;
            }
            Err(error) => {
                diverged |= matches!(error, StoreError::Behind { .. });
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    revision = snapshot.revision(),
                    "The datastore cannot be followed now. The server answers from what it holds.",
                );
                clock.sleep(backoff.next()).await;
                continue;
            }
        }
        tokio::select! {
            changed = commits.changed() => if changed.is_err() { clock.sleep(POLL).await },
            () = clock.sleep(POLL) => {}
        }
    }
}

/// The snapshot that follows `from`; the same one when nothing has changed. A store that was behind `from` may have
/// taken another way since: then everything is read again as soon as it has come as far.
async fn catch_up(store: &dyn DataStore, from: &Snapshot, diverged: bool) -> Result<Snapshot, StoreError> {
    let mut snapshot = from.clone();
    match apply_changes(store, &mut snapshot).await {
        Err(StoreError::Pruned { after }) => {
            tracing::info!(
                after,
                "The change log no longer reaches back far enough. Everything is read again."
            );
            load(store).await
        }
        Ok(()) if diverged => load(store).await,
        applied => applied.map(|()| snapshot),
    }
}

async fn apply_changes(store: &dyn DataStore, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    loop {
        let changes = store.changes_after(snapshot.revision(), PAGE).await?;
        if changes.is_empty() {
            return Ok(());
        }
        apply(store, snapshot, &changes).await?;
        snapshot.note_changes(changes);
    }
}

/// Reads again what the changes name. It may be newer than they are: then a later change names it once more.
async fn apply(store: &dyn DataStore, snapshot: &mut Snapshot, changes: &[Change]) -> Result<(), StoreError> {
    let keys =
        |kind| changes.iter().filter(move |change| change.kind == kind).map(|change| change.key.as_str());
    let entries: HashSet<EntryId> = keys(ChangeKind::Entry).filter_map(|id| EntryId::new(id).ok()).collect();
    if !entries.is_empty() {
        let ids: Vec<_> = entries.into_iter().collect();
        let found = store.entries(&ids).await?;
        ids.iter().for_each(|id| snapshot.remove_entry(id));
        found.into_iter().for_each(|entry| snapshot.insert_entry(entry));
    }
    let nodes: HashSet<SpiffeId> = keys(ChangeKind::Node).filter_map(|id| SpiffeId::parse(id).ok()).collect();
    if !nodes.is_empty() {
        let ids: Vec<_> = nodes.into_iter().collect();
        let found = store.nodes(&ids).await?;
        ids.iter().for_each(|id| snapshot.remove_node(id));
        found.into_iter().for_each(|node| snapshot.insert_node(node));
    }
    if keys(ChangeKind::Bundle).next().is_some() {
        snapshot.replace_bundles(store.bundles().await?);
    }
    Ok(())
}

/// How many rows are read at once.
const PAGE: u32 = 1000;

/// How often the log is read when nothing has woken us.
const POLL: Duration = Duration::from_secs(1);

//! The one task that writes: it commits all writes that are waiting together, since one wait for the disk costs the
//! same for one write as for many.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use finial_identity::Entry;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::changes;
use super::failure::Failure;
use super::fresh::Fresh;
use crate::{Revision, StoreError};

/// One write of the store. It may be applied more than once, if the group that it was first in could not be committed.
#[async_trait]
pub(super) trait Write: Send + Sync + 'static {
    type Outcome: Send + 'static;

    /// Applies the write in a transaction; what it did is undone if it fails.
    async fn apply(&self, tx: &mut SqliteConnection) -> Result<Self::Outcome, Failure>;

    /// The entries that it created, when that is all it did.
    fn created(&self, _outcome: &Self::Outcome) -> Option<Vec<Entry>> {
        None
    }
}

/// The queue of the writer task.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
    revisions: watch::Receiver<Revision>,
    closing: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task, which owns the connection, and the lock of its file until it has ended. What it creates is noted
    /// in `fresh`.
    #[expect(clippy::disallowed_methods, reason = "named by its span, ended and joined by close()")]
    pub(super) async fn start(
        mut connection: SqliteConnection,
        lock: Option<File>,
        fresh: Arc<Fresh>,
    ) -> Result<Self, Failure> {
        let newest = changes::newest_revision(&mut connection).await?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (publish, revisions) = watch::channel(newest);
        let closing = Arc::new(Notify::new());
        let span = tracing::info_span!("task", name = "store writer");
        let ending = Arc::clone(&closing);
        let task = tokio::spawn(run(connection, queue, publish, ending, (lock, fresh)).instrument(span));
        Ok(Self { jobs, revisions, closing, task: Mutex::new(Some(task)) })
    }

    /// The newest committed revision.
    pub(super) fn revisions(&self) -> watch::Receiver<Revision> {
        self.revisions.clone()
    }

    pub(super) async fn submit<W: Write>(&self, write: W) -> Result<W::Outcome, Failure> {
        let (reply, outcome) = oneshot::channel();
        let job = Box::new(Pending { write, outcome: None, reply });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        outcome.await.unwrap_or(Err(StoreError::Closed.into()))
    }

    /// Takes no more writes, commits those that are queued, and waits for the end of the task.
    pub(super) async fn close(&self) {
        self.closing.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "The writer of the datastore has failed. Writes that it had not answered may be lost.");
        }
    }
}

/// A write and where its outcome goes, whatever their types.
#[async_trait]
trait Job: Send {
    /// Applies the write and keeps its outcome; says whether it succeeded.
    async fn apply(&mut self, tx: &mut SqliteConnection) -> bool;

    /// The entries that it created, when it succeeded and did nothing else.
    fn created(&self) -> Option<Vec<Entry>>;

    /// Hands out the outcome. A write that had succeeded fails with `failure` after all.
    fn settle(self: Box<Self>, failure: Option<Failure>);
}

struct Pending<W: Write> {
    write: W,
    outcome: Option<Result<W::Outcome, Failure>>,
    reply: oneshot::Sender<Result<W::Outcome, Failure>>,
}

#[async_trait]
impl<W: Write> Job for Pending<W> {
    async fn apply(&mut self, tx: &mut SqliteConnection) -> bool {
        self.outcome.insert(self.write.apply(tx).await).is_ok()
    }

    fn created(&self) -> Option<Vec<Entry>> {
        self.write.created(self.outcome.as_ref()?.as_ref().ok()?)
    }

    fn settle(self: Box<Self>, failure: Option<Failure>) {
        let outcome = match (self.outcome, failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure),
            (Some(outcome), None) => outcome,
            (None, None) => Err(StoreError::Closed.into()),
        };
        let _ = self.reply.send(outcome); // nobody waits for it any more: it is done all the same
    }
}

async fn run(
    mut connection: SqliteConnection,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    publish: watch::Sender<Revision>,
    closing: Arc<Notify>,
    (lock, fresh): (Option<File>, Arc<Fresh>),
) {
    let mut pruned_at = *publish.borrow();
    loop {
        let mut group = Vec::new();
        let count = tokio::select! {
            count = queue.recv_many(&mut group, GROUP) => count,
            () = closing.notified() => {
                queue.close();
                continue;
            }
        };
        if count == 0 {
            break;
        }
        let newest = commit(&mut connection, group, &fresh).await;
        publish.send_if_modified(|published| {
            newest > *published && {
                *published = newest;
                true
            }
        });
        if newest >= pruned_at + PRUNE_EVERY {
            prune(&mut connection).await;
            pruned_at = newest;
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "The datastore was not closed cleanly. Nothing is lost."
        );
    }
    drop(lock);
}

/// Commits the group as one transaction, or, if that fails, each of its writes alone: so that one write that does not fit
/// on the disk does not take the others with it. Returns the newest revision that was committed.
async fn commit(connection: &mut SqliteConnection, mut group: Vec<Box<dyn Job>>, fresh: &Fresh) -> Revision {
    match transact(connection, &mut group).await {
        Ok(newest) => {
            fresh.note(group.iter().map(|job| job.created()));
            group.into_iter().for_each(|job| job.settle(None));
            newest
        }
        Err(failure) if group.len() == 1 => {
            group.into_iter().zip([failure]).for_each(|(job, failure)| job.settle(Some(failure)));
            0
        }
        Err(_) => {
            let mut newest = 0;
            for job in group {
                newest = newest.max(Box::pin(commit(connection, vec![job], fresh)).await);
            }
            newest
        }
    }
}

async fn transact(
    connection: &mut SqliteConnection,
    group: &mut [Box<dyn Job>],
) -> Result<Revision, Failure> {
    let applied = async {
        execute(connection, "BEGIN IMMEDIATE").await?;
        if let [alone] = group {
            // What it did is undone with the transaction: it needs no savepoint, for which SQLite copies pages.
            if !alone.apply(connection).await {
                execute(connection, "ROLLBACK").await?;
                return Ok(0);
            }
            let newest = changes::newest_revision(&mut *connection).await?;
            execute(connection, "COMMIT").await?;
            return Ok(newest);
        }
        for job in group {
            execute(connection, "SAVEPOINT write").await?;
            if !job.apply(connection).await {
                execute(connection, "ROLLBACK TO write").await?;
            }
            execute(connection, "RELEASE write").await?;
        }
        let newest = changes::newest_revision(&mut *connection).await?;
        execute(connection, "COMMIT").await?;
        Ok(newest)
    };
    let applied = applied.await;
    if applied.is_err() {
        // SQLite may have rolled back by itself, as it does when the disk is full: then this has nothing to do.
        let _ = execute(connection, "ROLLBACK").await;
    }
    applied
}

async fn prune(connection: &mut SqliteConnection) {
    match changes::prune(connection, KEPT_CHANGES).await {
        Ok(count) => tracing::debug!(count, "Old changes were forgotten."),
        Err(failure) => tracing::warn!(?failure, "Old changes could not be forgotten. The datastore grows."),
    }
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), Failure> {
    sqlx::query(statement).execute(connection).await?;
    Ok(())
}

/// How many writes may wait; more wait outside.
const QUEUE: usize = 1024;

/// How many writes share a commit.
const GROUP: usize = 256;

/// Enough for an index that was away for a while; one that was away for longer reads everything again.
const KEPT_CHANGES: u64 = 100_000;

/// How many revisions pass between two prunings.
const PRUNE_EVERY: Revision = 10_000;

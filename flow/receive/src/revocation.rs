//! The lists of revoked certificates that peers are held against, from files, live.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_identity::RevocationLists;
use tokio::sync::mpsc;

use crate::files::load::{fault, read_up_to};
use crate::refusals::Refusals;
use crate::watched::{LOOK, Watched};
use crate::{Live, LiveWriter, NotLive, ReceiveError};

/// The most that one file may hold, in bytes: some hundred thousand revoked certificates.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// The current lists. Clones share them.
#[derive(Clone, Debug)]
pub struct RevocationSource {
    live: Live<RevocationLists>,
    refused: Arc<AtomicU64>,
    asked: Option<mpsc::Sender<()>>,
}

impl RevocationSource {
    /// A source that the caller feeds, with its first lists.
    pub fn channel(first: RevocationLists) -> (LiveWriter<RevocationLists>, Self) {
        let (writer, live) = Live::channel();
        writer.publish(first);
        (writer, Self { live, refused: Arc::default(), asked: None })
    }

    /// Reads `files`, in DER or PEM, and reads them again two seconds after they changed, when
    /// [`reload`](Self::reload) asks and, if `every` is given, at that interval. When one cannot be read, is torn or
    /// holds no list, that is counted and logged, and all the lists before go on, until they expire. Ends with `tasks`,
    /// or with the last clone of the source.
    ///
    /// # Errors
    /// [`ReceiveError::File`] with the file at fault.
    pub async fn from_files(
        files: Vec<PathBuf>,
        every: Option<Duration>,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Result<Self, ReceiveError> {
        let watched = Watched::new(files.clone()).await;
        let (writer, mut source) = Self::channel(load(&files).await?);
        let refusals = Refusals::counted_by(&source.refused);
        let (asked, asks) = mpsc::channel(1);
        source.asked = Some(asked);
        let reader = Reader { files, watched, writer, refusals, asks, every, clock: clock.clone() };
        let drain = tasks.drain();
        tasks.spawn("revocation lists", async move {
            tokio::select! {
                () = reader.run() => {}
                () = drain.requested() => {}
            }
        });
        Ok(source)
    }

    /// Asks for the files to be read again, soon.
    pub fn reload(&self) {
        if let Some(asked) = &self.asked {
            let _ = asked.try_send(());
        }
    }

    /// The current lists.
    ///
    /// # Errors
    /// [`NotLive`]; a source that was read once always has them.
    pub fn lists(&self) -> Result<Arc<RevocationLists>, NotLive> {
        self.live.current()
    }

    /// Resolves when the lists have changed.
    ///
    /// # Errors
    /// [`NotLive::Ended`] when they never will again.
    pub async fn updated(&mut self) -> Result<(), NotLive> {
        self.live.changed().await
    }

    /// How many readings were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

struct Reader {
    files: Vec<PathBuf>,
    watched: Watched,
    writer: LiveWriter<RevocationLists>,
    refusals: Refusals,
    asks: mpsc::Receiver<()>,
    every: Option<Duration>,
    clock: Clock,
}

impl Reader {
    /// Until the last clone of the source has gone.
    async fn run(mut self) {
        let mut read_at = self.clock.monotonic();
        loop {
            let due = tokio::select! {
                asked = self.asks.recv() => match asked {
                    Some(()) => {
                        self.refusals.forget();
                        true
                    }
                    None => return,
                },
                () = self.clock.sleep(LOOK) => {
                    let since = self.clock.monotonic().saturating_sub(read_at);
                    self.watched.changed().await || self.every.is_some_and(|every| since >= every)
                }
            };
            if due {
                read_at = self.clock.monotonic();
                self.read_again().await;
            }
        }
    }

    async fn read_again(&mut self) {
        match load(&self.files).await {
            Ok(lists) => {
                self.refusals.forget();
                if self.writer.publish_changed(lists) {
                    tracing::info!("loaded revocation lists");
                }
            }
            Err(error) => {
                if self.refusals.is_news(&error) {
                    let cause = error.source();
                    tracing::warn!(cause, "error reloading revocation lists: {error}; those before it go on");
                }
            }
        }
    }
}

async fn load(files: &[PathBuf]) -> Result<RevocationLists, ReceiveError> {
    let mut lists = RevocationLists::default();
    for file in files {
        let content = read_up_to(FILE_LIMIT, "is larger than 16 MiB", file).await?;
        let more = RevocationLists::parse(&content)
            .map_err(|cause| fault(file, "holds no revocation list that can be used", cause))?;
        lists = lists.and(&more);
    }
    Ok(lists)
}

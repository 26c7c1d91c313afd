//! Reading files again while the proxies run: certificates, and the configuration where it is a file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use finial_daemon::confine::Reach;
use tokio::sync::{mpsc, watch};

use crate::announcer::Announcer;
use crate::config::{Named, StatusFlags};
use crate::fleet::{Changes, Fleet};
use crate::identities::Identities;
use crate::lines::Chain;
use crate::metrics;
use crate::{ProxyError, ProxyFile};

/// How long a supervisor waits for files to be read. It gives a reload up after 90 seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks running proxies to read their files again.
#[derive(Clone, Debug)]
pub struct Reloader {
    identities: Identities,
    /// Where the configuration is a file.
    asked: Option<mpsc::Sender<()>>,
    reloads: Arc<Reloads>,
    /// From when on there is somebody to tell.
    announcer: Arc<OnceLock<Announcer>>,
}

/// How often a configuration was read again.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    applied: AtomicU64,
    refused: AtomicU64,
    reading: watch::Sender<bool>,
}

/// The file of a configuration, and the requests to read it again.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    /// Of a confined process.
    reach: Option<Reach>,
    /// What cannot change while the process runs.
    status: StatusFlags,
    asks: mpsc::Receiver<()>,
    reloads: Arc<Reloads>,
}

impl Reloader {
    /// Reads the files again, soon: those of certificates, and that of the configuration. Without effect with the
    /// Workload API, which tells by itself. A request that comes before the last was heeded adds nothing.
    /// A supervisor is told when it begins, and when it is done or takes too long.
    pub fn reload(&self) {
        let announcer = self.announcer.get();
        announcer.inspect(|announcer| announcer.reloading());
        self.identities.reload();
        if let Some(asked) = &self.asked {
            self.reloads.reading.send_replace(true);
            let _ = asked.try_send(());
        }
        if let Some(announcer) = announcer.cloned() {
            let (reloader, tasks) = (self.clone(), self.identities.tasks());
            let drain = tasks.drain();
            tasks.spawn_session("reload", async move {
                tokio::select! {
                    _ = reloader.identities.clock().timeout(PATIENCE, reloader.settled()) => announcer.listening(),
                    () = drain.requested() => {}
                }
            });
        }
    }

    async fn settled(&self) {
        self.identities.settled().await;
        // The sender lives in `self`, so that this cannot fail.
        let _ = self.reloads.reading.subscribe().wait_for(|is_reading| !is_reading).await;
    }

    /// Tells `announcer` of what comes; only the first one.
    pub(crate) fn announce_by(&self, announcer: Announcer) {
        let _ = self.announcer.set(announcer);
    }

    /// How many generations of an identity were refused, since they could not be read or did not belong together.
    pub fn refused(&self) -> u64 {
        self.identities.refused()
    }

    /// How many configurations were refused, each of which changed nothing.
    pub fn refused_configurations(&self) -> u64 {
        self.reloads.refused()
    }

    /// Without a file of the configuration.
    pub(crate) fn of_identities(identities: Identities) -> Self {
        Self { identities, asked: None, reloads: Arc::default(), announcer: Arc::default() }
    }

    pub(crate) fn watching(
        identities: Identities,
        (path, reach): (&Path, Option<Reach>),
        status: StatusFlags,
    ) -> (Self, Watched) {
        let (asked, asks) = mpsc::channel(1);
        let reloads = Arc::<Reloads>::default();
        let watched = Watched { path: path.to_owned(), reach, status, asks, reloads: Arc::clone(&reloads) };
        (Self { identities, asked: Some(asked), reloads, announcer: Arc::default() }, watched)
    }

    pub(crate) fn reloads(&self) -> Arc<Reloads> {
        Arc::clone(&self.reloads)
    }
}

impl Reloads {
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// As Prometheus reads them.
    pub(crate) fn write(&self, prefix: &str, text: &mut String) {
        let prefix = metrics::flat(prefix);
        for (name, count) in [("applied", self.applied()), ("refused", self.refused())] {
            let name = format!("{prefix}_configuration_{name}_total");
            // Writing to a string does not fail.
            let _ = writeln!(text, "# TYPE {name} counter\n{name} {count}");
        }
    }
}

impl Watched {
    /// Heeds requests for ever. One that comes while the last still waits, say for an agent that does not answer, takes
    /// its place.
    pub(crate) async fn heed(self, fleet: &mut Fleet) {
        let Self { path, reach, status, mut asks, reloads } = self;
        let mut asked = asks.recv().await;
        while asked.is_some() {
            asked = tokio::select! {
                changed = read_again((&path, reach.as_ref()), &status, fleet) => {
                    reloads.tell(&path, &changed);
                    reloads.reading.send_replace(false);
                    asks.recv().await
                }
                again = asks.recv() => again,
            };
            fleet.forget_identities();
        }
        std::future::pending::<()>().await;
    }
}

/// Everything that can fail comes first, and changes nothing.
async fn read_again(
    (path, reach): (&Path, Option<&Reach>),
    status: &StatusFlags,
    fleet: &mut Fleet,
) -> Result<Changes, ProxyError> {
    let file = ProxyFile::read(path)?;
    if let Some(reach) = reach {
        file.check_reach(reach)?;
    }
    if file.status != *status {
        tracing::warn!("status, enable_shutdown or the metrics have changed, which needs a restart");
    }
    let configured = file.plans()?;
    fleet.open_identities(&configured).await?;
    let wanted = configured.iter().map(Named::wanted).collect::<Vec<_>>();
    fleet.identified(&wanted).await?;
    let bound = fleet.bind(&configured).await?;
    fleet.apply(configured, bound).await
}

impl Reloads {
    fn tell(&self, path: &Path, changed: &Result<Changes, ProxyError>) {
        let path = path.display();
        match changed {
            Ok(Changes { added, changed, removed, untouched }) => {
                self.applied.fetch_add(1, Ordering::Relaxed);
                tracing::info!(
                    added,
                    changed,
                    removed,
                    untouched,
                    "using the new configuration {path}: {added} listeners added, {changed} changed, {removed} \
                     removed, {untouched} as before"
                );
            }
            Err(error) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    "cannot use the new configuration {path}, so that nothing changes: {}",
                    Chain(error)
                );
            }
        }
    }
}

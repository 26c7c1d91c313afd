//! The identities of one process: one for each place they come from, however many proxies use it.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use finial_daemon::{Clock, Tasks};
use finial_receive::{RevocationSource, Source, WebFiles, WebSource};
use finial_tls::Terms;

use crate::ProxyError;
use crate::config::{ListFiles, Own, Scrutiny};
use crate::identity::Identity;

/// Twenty proxies of one agent hold one stream of its Workload API. Clones share the identities.
#[derive(Clone, Debug)]
pub(crate) struct Identities {
    opened: Arc<Mutex<Vec<Opened<Own, Identity>>>>,
    lists: Arc<Mutex<Vec<Opened<ListFiles, RevocationSource>>>>,
    clock: Clock,
    tasks: Tasks,
}

/// What is kept up to date, and by what.
#[derive(Debug)]
struct Opened<P, L> {
    place: P,
    live: L,
    feed: Tasks,
}

/// Who uses what is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A listener.
    Current,
    /// Connections of a listener that is closing.
    Last,
    /// Nobody. Connections may still hold it, and rest on something else.
    None,
}

impl Identities {
    /// None yet. What keeps them up to date will run among `tasks`.
    pub(crate) fn new(clock: &Clock, tasks: &Tasks) -> Self {
        Self { opened: Arc::default(), lists: Arc::default(), clock: clock.clone(), tasks: tasks.clone() }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The identity that is open already, or else a new one. One of the Workload API need not be there yet.
    pub(crate) async fn open(&self, own: &Own) -> Result<Identity, ProxyError> {
        if let Some(identity) = found(&self.opened(), own) {
            return Ok(identity);
        }
        let feed = self.tasks.part();
        let identity = match own {
            Own::WorkloadApi(endpoint) => {
                tracing::info!("using SPIFFE Workload API as certificate source");
                Identity::Spiffe(Source::from_workload_api(endpoint, &self.clock, &feed))
            }
            Own::Files { files, every } => {
                tracing::info!("{}", certificate_source(files));
                let read = WebSource::from_files(files.clone(), *every, &self.clock, &feed).await;
                Identity::Web(read.map_err(ProxyError::Files)?)
            }
        };
        self.opened().push(Opened { place: own.clone(), live: identity.clone(), feed });
        Ok(identity)
    }

    /// On what terms peers are accepted; lists that are open already are shared.
    pub(crate) async fn terms(&self, scrutiny: &Scrutiny) -> Result<Terms, ProxyError> {
        let revocations = match &scrutiny.lists {
            Some(files) => Some(self.open_lists(files).await?),
            None => None,
        };
        Ok(Terms { revocations, close_on_expiry: scrutiny.close_on_expiry })
    }

    async fn open_lists(&self, files: &ListFiles) -> Result<RevocationSource, ProxyError> {
        if let Some(lists) = found(&held(&self.lists), files) {
            return Ok(lists);
        }
        let (ListFiles { paths, every }, feed) = (files.clone(), self.tasks.part());
        let lists = RevocationSource::from_files(paths, every, &self.clock, &feed).await;
        let lists = lists.map_err(ProxyError::RevocationLists)?;
        held(&self.lists).push(Opened { place: files.clone(), live: lists.clone(), feed });
        Ok(lists)
    }

    /// What the caller feeds is to be found from now on.
    #[cfg(test)]
    pub(crate) fn insert(&self, own: Own, identity: Identity) {
        self.opened().push(Opened { place: own, live: identity, feed: self.tasks.part() });
    }

    /// Keeps what listeners use, and forgets the rest: its streams and readers end at once, or with the last connection
    /// that rests on them.
    pub(crate) fn retain(&self, of_own: impl Fn(&Own) -> Use, of_lists: impl Fn(&ListFiles) -> Use) {
        self.opened().retain(|opened| opened.stays(of_own(&opened.place)));
        held(&self.lists).retain(|opened| opened.stays(of_lists(&opened.place)));
    }

    /// Reads the certificate files again, soon. Without effect on the Workload API, which tells by itself.
    pub(crate) fn reload(&self) {
        for opened in self.opened().iter() {
            if let Identity::Web(source) = &opened.live {
                source.reload();
            }
        }
        held(&self.lists).iter().for_each(|opened| opened.live.reload());
    }

    /// Resolves when what [`reload`](Self::reload) asked for has been read, whatever came of it.
    pub(crate) async fn settled(&self) {
        let identities = self.opened().iter().map(|opened| opened.live.clone()).collect::<Vec<_>>();
        for identity in identities {
            if let Identity::Web(source) = identity {
                source.settled().await;
            }
        }
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// How many generations and lists were refused.
    pub(crate) fn refused(&self) -> u64 {
        let generations = self.opened().iter().map(|opened| opened.live.refused()).sum::<u64>();
        generations + held(&self.lists).iter().map(|opened| opened.live.refused()).sum::<u64>()
    }

    /// When the first of what is presented expires, or has.
    pub(crate) fn first_expiry(&self) -> Option<SystemTime> {
        self.opened().iter().filter_map(|opened| opened.live.not_after()).min()
    }

    fn opened(&self) -> MutexGuard<'_, Vec<Opened<Own, Identity>>> {
        held(&self.opened)
    }
}

impl<P, L> Opened<P, L> {
    /// Whether it is to be found from now on.
    fn stays(&self, used: Use) -> bool {
        if used == Use::None {
            self.feed.drain().request();
        }
        used == Use::Current
    }
}

fn found<P: PartialEq, L: Clone>(opened: &[Opened<P, L>], place: &P) -> Option<L> {
    opened.iter().find(|opened| opened.place == *place).map(|opened| opened.live.clone())
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that could panic half-way runs under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In ghostunnel's words.
fn certificate_source(files: &WebFiles) -> &'static str {
    match &files.own {
        None => "no cert source configured -- running without certificate",
        Some(pair) if pair.certificate == pair.key => "using keystore file on disk as certificate source",
        Some(_) => "using cert/key files on disk as certificate source",
    }
}

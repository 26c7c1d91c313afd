//! The identities of one process: one for each place they come from, however many proxies use it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use finial_daemon::{Clock, Tasks};
use finial_receive::{RevocationSource, Source, WebFiles, WebSource};
use finial_tls::Terms;

use crate::ProxyError;
use crate::config::{ListFiles, Own, Scrutiny};
use crate::side::Identity;

/// Twenty proxies of one agent hold one stream of its Workload API. Clones share the identities.
#[derive(Clone, Debug)]
pub(crate) struct Identities {
    opened: Arc<Mutex<Vec<(Own, Identity)>>>,
    lists: Arc<Mutex<Vec<(ListFiles, RevocationSource)>>>,
    clock: Clock,
    tasks: Tasks,
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
        if let Some(identity) = self.find(own) {
            return Ok(identity);
        }
        let identity = match own {
            Own::WorkloadApi(endpoint) => {
                tracing::info!("using SPIFFE Workload API as certificate source");
                Identity::Spiffe(Source::from_workload_api(endpoint, &self.clock, &self.tasks))
            }
            Own::Files { files, every } => {
                tracing::info!("{}", certificate_source(files));
                let read = WebSource::from_files(files.clone(), *every, &self.clock, &self.tasks).await;
                Identity::Web(read.map_err(ProxyError::Files)?)
            }
        };
        self.insert(own.clone(), identity.clone());
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
        let found = held(&self.lists).iter().find(|(open, _)| open == files).map(|(_, lists)| lists.clone());
        if let Some(lists) = found {
            return Ok(lists);
        }
        let ListFiles { paths, every } = files.clone();
        let lists = RevocationSource::from_files(paths, every, &self.clock, &self.tasks).await;
        let lists = lists.map_err(ProxyError::RevocationLists)?;
        held(&self.lists).push((files.clone(), lists.clone()));
        Ok(lists)
    }

    /// What is to be found from now on.
    pub(crate) fn insert(&self, own: Own, identity: Identity) {
        self.opened().push((own, identity));
    }

    /// Forgets the identities that nobody uses: their streams and readers end with the last connection that rests on
    /// them.
    pub(crate) fn retain(&self, used: impl Fn(&Own) -> bool, needed: impl Fn(&ListFiles) -> bool) {
        self.opened().retain(|(own, _)| used(own));
        held(&self.lists).retain(|(files, _)| needed(files));
    }

    /// Reads the certificate files again, soon. Without effect on the Workload API, which tells by itself.
    pub(crate) fn reload(&self) {
        for (_, identity) in self.opened().iter() {
            if let Identity::Web(source) = identity {
                source.reload();
            }
        }
        held(&self.lists).iter().for_each(|(_, lists)| lists.reload());
    }

    /// Resolves when what [`reload`](Self::reload) asked for has been read, whatever came of it.
    pub(crate) async fn settled(&self) {
        let identities = self.opened().iter().map(|(_, identity)| identity.clone()).collect::<Vec<_>>();
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
        let refused = |(_, identity): &(Own, Identity)| match identity {
            Identity::Spiffe(source) => source.refused(),
            Identity::Web(source) => source.refused(),
        };
        let generations = self.opened().iter().map(refused).sum::<u64>();
        generations + held(&self.lists).iter().map(|(_, lists)| lists.refused()).sum::<u64>()
    }

    /// When the first of what is presented expires, or has.
    pub(crate) fn first_expiry(&self) -> Option<SystemTime> {
        self.opened().iter().filter_map(|(_, identity)| identity.not_after()).min()
    }

    fn find(&self, own: &Own) -> Option<Identity> {
        self.opened().iter().find(|(opened, _)| opened == own).map(|(_, identity)| identity.clone())
    }

    fn opened(&self) -> MutexGuard<'_, Vec<(Own, Identity)>> {
        held(&self.opened)
    }
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

//! Takes out of a pool what has ended or is to be retired, so that it does not lie there until somebody asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use deadpool::managed::WeakPool;
use finial_daemon::Drain;
use finial_identity::X509Credential;
use finial_receive::Source;
use tokio::sync::Notify;

use super::{Lease, Manager};

/// Knows which connections are to be retired, and is woken when one has ended.
#[derive(Debug)]
pub(super) struct Keeper {
    source: Source,
    renew_after: Option<Duration>,
    newest: Mutex<Option<Newest>>,
    /// Of all connections, lent or not.
    leases: Mutex<Vec<Weak<Lease>>>,
    wake: Notify,
}

/// The credential that is presented now, and since when.
#[derive(Clone, Debug)]
struct Newest {
    credential: Arc<X509Credential>,
    since: SystemTime,
}

impl Keeper {
    pub(super) fn new(source: Source, renew_after: Option<Duration>) -> Self {
        let (newest, leases) = (Mutex::default(), Mutex::default());
        let keeper = Self { source, renew_after, newest, leases, wake: Notify::new() };
        keeper.look();
        keeper
    }

    /// Keeps one connection more.
    pub(super) fn add(&self, lease: &Arc<Lease>) {
        self.leases().push(Arc::downgrade(lease));
        self.wake();
    }

    /// There may be something to do.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether a connection may be lent, once more.
    pub(super) fn is_fresh(&self, lease: &Lease) -> bool {
        !lease.is_ended() && self.due_at(lease).is_none_or(|at| self.source.clock().now() < at)
    }

    /// When a connection is to be retired; a newer credential may come and make it earlier.
    fn due_at(&self, lease: &Lease) -> Option<SystemTime> {
        let renewal = self.renew_after.and_then(|after| {
            let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            let newest = newest.as_ref()?;
            let is_older = lease.credential()?.svid() != newest.credential.svid();
            is_older.then(|| newest.since + after)
        });
        lease.retire_at().into_iter().chain(renewal).min()
    }

    /// When the next connection is to be retired. One that is lent although it should be is seen when it comes back.
    fn next_due(&self) -> Option<SystemTime> {
        let now = self.source.clock().now();
        let mut leases = self.leases();
        leases.retain(|lease| lease.strong_count() > 0);
        let live = leases.iter().filter_map(Weak::upgrade);
        live.filter_map(|lease| self.due_at(&lease)).filter(|at| *at > now).min()
    }

    fn leases(&self) -> MutexGuard<'_, Vec<Weak<Lease>>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes since when the credential is there that is presented now.
    fn look(&self) {
        let Ok(credential) = self.source.credential() else { return };
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_ref().is_none_or(|newest| newest.credential.svid() != credential.svid()) {
            *newest = Some(Newest { credential, since: self.source.clock().now() });
        }
    }
}

/// Keeps a pool until it or the program ends.
pub(super) async fn keep(pool: WeakPool<Manager>, keeper: Arc<Keeper>, drain: Drain) {
    let mut source = keeper.source.clone();
    loop {
        match pool.upgrade() {
            Some(pool) => drop(pool.retain(|pooled, _| pooled.is_fresh())),
            None => return,
        }
        let next = keeper.next_due();
        let retirement = async {
            match next {
                Some(at) => keeper.source.clock().sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let news = async {
            if source.updated().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = keeper.wake.notified() => {}
            () = retirement => {}
            () = news => keeper.look(),
            () = drain.requested() => {
                if let Some(pool) = pool.upgrade() {
                    pool.close();
                }
                return;
            }
        }
    }
}

//! On what terms a peer that is permitted is accepted and stays, beside that an authority vouches for it.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::Clock;
use finial_identity::RevocationLists;
use finial_receive::{NotLive, RevocationSource};

/// For peers of either kind. By default nobody is revoked, and a connection outlives the certificate of its peer.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The lists that a peer must not be in: neither at the handshake, nor later. An issuer whose lists have all
    /// expired has no peer accepted any more, and keeps those that are connected.
    pub revocations: Option<RevocationSource>,
    /// Whether a connection ends when the certificate of its peer expires.
    pub close_on_expiry: bool,
}

/// The lists as they were at one moment; `None` where there are none.
pub(crate) type Lists = Option<Arc<RevocationLists>>;

impl Terms {
    pub(crate) fn lists(&self) -> Result<Lists, NotLive> {
        self.revocations.as_ref().map(RevocationSource::lists).transpose()
    }

    /// When a connection must end whose peer's certificate has this NotAfter, which counts to the end of its second.
    pub(crate) fn end(&self, not_after: SystemTime) -> Option<SystemTime> {
        self.close_on_expiry.then(|| not_after + Duration::from_secs(1))
    }

    /// Resolves when something may have changed: what `trust` tells of, the lists, or the time having come to `end`.
    pub(crate) async fn changed(
        &mut self,
        trust: impl Future<Output = Result<(), NotLive>>,
        (clock, end): (&Clock, Option<SystemTime>),
    ) {
        let lists = async {
            match &mut self.revocations {
                Some(revocations) => revocations.updated().await,
                None => std::future::pending().await,
            }
        };
        let expired = async {
            match end {
                Some(end) => clock.sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = news(trust) => {}
            () = news(lists) => {}
            () = expired => {}
        }
    }
}

/// Never, when there will be none.
async fn news(updated: impl Future<Output = Result<(), NotLive>>) {
    if updated.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether both are of the same reading.
pub(crate) fn same_lists(one: &Lists, other: &Lists) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}

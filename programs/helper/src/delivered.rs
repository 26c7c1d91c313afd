//! What stands in the files by now, for those who must tell somebody.

use tokio::sync::watch;

use crate::config::Kinds;

/// How often each kind of file was put in place since the start. Zero: not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// X.509-SVIDs with their keys and bundles.
    pub(crate) x509: u64,
    /// JWT-SVIDs.
    pub(crate) jwt: u64,
    /// JWT bundles.
    pub(crate) jwt_bundle: u64,
    /// Everything that is configured has been written at least once.
    pub(crate) complete: bool,
}

/// Follows [`Delivered`]. A follower that is late sees the newest, never a queue.
pub(crate) type Deliveries = watch::Receiver<Delivered>;

/// How often one of these kinds was delivered, once everything was written and that is more than `told`. Never resolves
/// when nothing is delivered any more. May be dropped while waiting.
pub(crate) async fn next(deliveries: &mut Deliveries, on: Kinds, told: u64) -> u64 {
    let news = deliveries.wait_for(|delivered| delivered.complete && on.count(delivered) > told).await;
    match news.map(|delivered| on.count(&delivered)) {
        Ok(count) => count,
        Err(_) => std::future::pending().await,
    }
}

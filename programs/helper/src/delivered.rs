//! What stands in the files by now, for those who must tell somebody.

use tokio::sync::watch;

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

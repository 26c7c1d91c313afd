//! What the owner means to do about X.509-SVIDs, asked of it for explanations.

use std::time::SystemTime;

use finial_identity::EntryId;
use tokio::sync::oneshot;

/// The outlook of one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outlook {
    /// When its SVID is renewed; `None` when there is none, or when that is due already.
    pub(super) renews_at: Option<SystemTime>,
    /// What the server said when it gave none the last time.
    pub(super) refusal: Option<String>,
    /// Whether the agent keeps an SVID for it without being asked.
    pub(super) has_place: bool,
}

/// Asks the owner about some entries; the answer is in their order.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) entries: Vec<EntryId>,
    pub(super) answer: oneshot::Sender<Vec<Outlook>>,
}

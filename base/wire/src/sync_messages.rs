//! The messages of SyncAuthorizedEntries as they travel: what there are thousands of is still, or already, bytes.

use std::fmt;

use bytes::Bytes;

use crate::proto::types::EntryMask;

/// `SyncAuthorizedEntriesRequest`. A text and bytes are the same on the wire.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SyncRequest {
    #[prost(message, optional, tag = "1")]
    pub output_mask: Option<EntryMask>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub ids: Vec<Bytes>,
}

/// `SyncAuthorizedEntriesResponse`. The field of a message and that of bytes are the same on the wire.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct SyncedPage {
    /// Each an encoded `EntryRevision`.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub entry_revisions: Vec<Bytes>,
    /// Each an encoded `Entry`.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub entries: Vec<Bytes>,
    #[prost(bool, tag = "3")]
    pub more: bool,
}

/// Entries hold the values of selectors, which do not belong in logs.
impl fmt::Debug for SyncedPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = (self.entry_revisions.len(), self.entries.len(), self.more);
        f.debug_tuple("SyncedPage").field(&counts).finish()
    }
}

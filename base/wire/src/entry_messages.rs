//! The messages that hold hundreds of entries, as they travel: what there is so much of is still, or already, bytes. A field
//! of a message, or of text, is the same on the wire as one of bytes.

use std::fmt;

use bytes::Bytes;

use crate::proto::types::{EntryMask, Status};

/// `BatchCreateEntryRequest`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct NewEntries {
    /// Each an encoded `Entry`.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub entries: Vec<Bytes>,
    #[prost(message, optional, tag = "2")]
    pub output_mask: Option<EntryMask>,
}

/// `BatchCreateEntryResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NewEntryResults {
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<NewEntryResult>,
}

/// `BatchCreateEntryResponse.Result`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct NewEntryResult {
    #[prost(message, optional, tag = "1")]
    pub status: Option<Status>,
    /// An encoded `Entry`.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub entry: Option<Bytes>,
}

/// `SyncAuthorizedEntriesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SyncRequest {
    #[prost(message, optional, tag = "1")]
    pub output_mask: Option<EntryMask>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub ids: Vec<Bytes>,
}

/// `SyncAuthorizedEntriesResponse`.
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

// Entries hold the values of selectors, which do not belong in logs.

impl fmt::Debug for NewEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NewEntries").field(&self.entries.len()).finish()
    }
}

impl fmt::Debug for NewEntryResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NewEntryResult").field(&self.status).finish()
    }
}

impl fmt::Debug for SyncedPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = (self.entry_revisions.len(), self.entries.len(), self.more);
        f.debug_tuple("SyncedPage").field(&counts).finish()
    }
}

//! SyncAuthorizedEntries, ours against ours, and page by page as SPIRE's peers see it.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use finial_identity::{Entry, EntryId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::transport::Channel;

use super::{Fake, decoded, entry_service};
use crate::client::EntryClient;
use crate::entry_messages::{SyncRequest, SyncedPage};
use crate::harness::{entry, full_entry, served};
use crate::limits::{MAX_SYNC, MAX_SYNC_PAUSE};
use crate::proto::entry::entry_client::EntryClient as Stub;
use crate::proto::types;

type Known = HashMap<EntryId, (i64, SystemTime)>;

fn known(entries: impl IntoIterator<Item = Entry>) -> Known {
    let revision = |entry: Entry| (entry.id.clone(), (entry.revision_number, entry.created_at));
    entries.into_iter().map(revision).collect()
}

fn ids(entries: impl IntoIterator<Item = Entry>) -> HashSet<EntryId> {
    entries.into_iter().map(|entry| entry.id).collect()
}

#[tokio::test]
async fn everything_comes_when_nothing_is_known() {
    for count in [0, 1, 499, 500, 501, 1000, 1201] {
        served(entry_service(Fake::with((0..count).map(entry))), async |channel| {
            let synced = EntryClient::new(channel).sync_authorized_entries(&Known::new()).await.unwrap();
            assert_eq!(synced.changed, (0..count).map(entry).collect::<Vec<_>>(), "{count}");
            assert!(synced.unchanged.is_empty(), "{count}");
        })
        .await;
    }
}

#[tokio::test]
async fn nothing_comes_when_all_is_known() {
    for count in [1, 500, 501, 1201] {
        served(entry_service(Fake::with((0..count).map(entry))), async |channel| {
            let known = known((0..count).map(entry));
            let synced = EntryClient::new(channel).sync_authorized_entries(&known).await.unwrap();
            assert!(synced.changed.is_empty());
            assert_eq!(synced.unchanged, ids((0..count).map(entry)));
        })
        .await;
    }
}

#[tokio::test]
async fn only_what_changed_comes() {
    for count in [3, 600] {
        served(entry_service(Fake::with((0..count).map(entry))), async |channel| {
            let mut held = known((0..count).map(entry));
            held.remove(&entry(0).id);
            held.get_mut(&entry(1).id).unwrap().0 = 7;
            held.get_mut(&entry(2).id).unwrap().1 -= Duration::from_secs(1);
            held.insert(full_entry().id, (0, full_entry().created_at));
            let synced = EntryClient::new(channel).sync_authorized_entries(&held).await.unwrap();
            assert_eq!(synced.changed, [entry(0), entry(1), entry(2)]);
            assert_eq!(synced.unchanged, ids((3..count).map(entry)));
        })
        .await;
    }
}

#[tokio::test]
async fn agent_gets_the_fields_it_needs() {
    served(entry_service(Fake::with([full_entry()])), async |channel| {
        let synced = EntryClient::new(channel).sync_authorized_entries(&Known::new()).await.unwrap();
        let (got, full) = (&synced.changed[0], full_entry());
        assert_eq!((got.x509_svid_ttl, got.jwt_svid_ttl, got.dns_names.len()), (None, None, 0));
        assert_eq!((got.revision_number, got.created_at), (full.revision_number, full.created_at));
        assert_eq!((&got.hint, &got.federates_with), (&full.hint, &full.federates_with));
        assert!(got.admin && got.downstream && got.store_svid && got.x509_svid_prefetch_disabled);
    })
    .await;
}

/// A conversation message by message.
struct Conversation {
    requests: mpsc::Sender<SyncRequest>,
    pages: tonic::Streaming<SyncedPage>,
}

impl Conversation {
    async fn begin(channel: Channel, first: SyncRequest) -> Result<Self, tonic::Status> {
        let (requests, outgoing) = mpsc::channel(4);
        requests.send(first).await.unwrap();
        let pages =
            Stub::new(channel).sync_authorized_entries(ReceiverStream::new(outgoing)).await?.into_inner();
        Ok(Self { requests, pages })
    }

    async fn ask(&self, ids: impl IntoIterator<Item = String>) {
        let ids = ids.into_iter().map(Bytes::from).collect();
        self.requests.send(SyncRequest { output_mask: None, ids }).await.unwrap();
    }

    /// Revisions, entries, and whether more follow.
    async fn page(&mut self) -> (usize, usize, bool) {
        let page = self.pages.message().await.unwrap().unwrap();
        (page.entry_revisions.len(), page.entries.len(), page.more)
    }
}

fn name(n: usize) -> String {
    entry(n).id.as_str().to_owned()
}

#[tokio::test]
async fn few_entries_come_in_one_page_and_the_stream_ends() {
    served(entry_service(Fake::with((0..500).map(entry))), async |channel| {
        let mut talk = Conversation::begin(channel, Default::default()).await.unwrap();
        assert_eq!(talk.page().await, (0, 500, false));
        assert!(talk.pages.message().await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn many_entries_come_as_revisions_and_then_as_asked() {
    served(entry_service(Fake::with((0..1201).map(entry))), async |channel| {
        let mut talk = Conversation::begin(channel, Default::default()).await.unwrap();
        assert_eq!(talk.page().await, (500, 0, true));
        assert_eq!(talk.page().await, (500, 0, true));
        assert_eq!(talk.page().await, (201, 0, false));

        talk.ask((0..1000).map(name)).await;
        assert_eq!(talk.page().await, (0, 500, true));
        assert_eq!(talk.page().await, (0, 500, false));

        talk.ask(["nowhere".to_owned()]).await;
        assert_eq!(talk.page().await, (0, 0, false));

        talk.ask([name(7), "nowhere".to_owned(), name(3)]).await;
        let page = talk.pages.message().await.unwrap().unwrap();
        let got: Vec<_> = page.entries.into_iter().map(decoded).map(|entry| entry.id).collect();
        assert_eq!((got, page.more), (vec![name(7), name(3)], false));

        drop(talk.requests);
        assert!(talk.pages.message().await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn first_request_must_ask_for_revisions_and_name_no_entry() {
    served(entry_service(Fake::with((0..501).map(entry))), async |channel| {
        let mask = types::EntryMask { spiffe_id: true, ..Default::default() };
        let masked = SyncRequest { output_mask: Some(mask), ids: Vec::new() };
        let named = SyncRequest { output_mask: None, ids: vec![name(1).into()] };
        for (request, problem) in [
            (masked, "revision number cannot be masked"),
            (named, "specifying IDs on initial request is not supported"),
        ] {
            let error = Conversation::begin(channel.clone(), request).await.err().unwrap();
            assert_eq!((error.code(), error.message()), (Code::InvalidArgument, problem));
        }
    })
    .await;
}

#[tokio::test]
async fn mask_holds_for_the_whole_conversation() {
    served(entry_service(Fake::with((0..501).map(entry))), async |channel| {
        let mask = types::EntryMask { revision_number: true, hint: true, ..Default::default() };
        let first = SyncRequest { output_mask: Some(mask), ids: Vec::new() };
        let mut talk = Conversation::begin(channel, first).await.unwrap();
        assert_eq!(talk.page().await, (500, 0, true));
        assert_eq!(talk.page().await, (1, 0, false));
        talk.ask([name(1)]).await;
        let page = talk.pages.message().await.unwrap().unwrap();
        let page: Vec<_> = page.entries.into_iter().map(decoded).collect();
        assert_eq!(page, [types::Entry { id: name(1), ..Default::default() }]);
    })
    .await;
}

#[tokio::test]
async fn agent_that_takes_too_long_is_told_which_limit() {
    for (limit, problem) in [
        (MAX_SYNC, "a synchronisation may last 600 s at most"),
        (MAX_SYNC_PAUSE, "a pause between two requests of a synchronisation may last 60 s at most"),
    ] {
        let impatient = Fake::whose_pause_is_over((0..501).map(entry), Some(limit));
        served(entry_service(impatient), async |channel| {
            let error = match Conversation::begin(channel, Default::default()).await {
                Ok(mut talk) => loop {
                    match talk.pages.message().await {
                        Ok(page) => assert!(page.is_some(), "the stream ended in order"),
                        Err(error) => break error,
                    }
                },
                Err(refusal) => refusal,
            };
            assert_eq!((error.code(), error.message()), (Code::DeadlineExceeded, problem));
        })
        .await;
    }
}

//! The Entry service from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use finial_identity::{Entry, EntryDraft, EntryId, SpiffeId};
use futures_util::future::BoxFuture;
use prost::Message;
use tonic::{Code, Extensions, Status};

use super::{Created, EntryApi, entry_service};
use crate::client::EntryClient;
use crate::convert::entry as convert;
use crate::entry_messages::{NewEntries, NewEntryResult};
use crate::harness::{entry, full_entry, id, noon, served, trust_domain};
use crate::proto::entry as proto;
use crate::proto::entry::entry_client::EntryClient as Stub;
use crate::proto::types;
use crate::{EntryFilter, EntryUpdate, MAX_BATCH, Page, Paged};

fn decoded(entry: Bytes) -> types::Entry {
    types::Entry::decode(entry).unwrap()
}

/// Entries in memory, and the one pause that is over at once; no other ever is.
#[derive(Default)]
struct Fake(Mutex<BTreeMap<EntryId, Arc<Entry>>>, Option<Duration>);

impl Fake {
    fn with(entries: impl IntoIterator<Item = Entry>) -> Arc<dyn EntryApi> {
        Self::whose_pause_is_over(entries, None)
    }

    fn whose_pause_is_over(
        entries: impl IntoIterator<Item = Entry>,
        pause: Option<Duration>,
    ) -> Arc<dyn EntryApi> {
        let entries = entries.into_iter().map(|entry| (entry.id.clone(), Arc::new(entry))).collect();
        Arc::new(Self(Mutex::new(entries), pause))
    }
}

fn not_found() -> Status {
    Status::not_found("entry not found")
}

impl Fake {
    fn create(&self, id: Option<EntryId>, draft: EntryDraft) -> Result<Created, Status> {
        let mut entries = self.0.lock().unwrap();
        if let Some(entry) = entries.values().find(|entry| entry.spiffe_id == draft.spiffe_id) {
            return Ok(Created { entry: Arc::clone(entry), existed: true });
        }
        let id = id.unwrap_or_else(|| EntryId::new("chosen").unwrap());
        let entry = Entry::new(draft, id.clone(), &trust_domain(), noon());
        let entry = Arc::new(entry.map_err(|error| Status::invalid_argument(error.to_string()))?);
        entries.insert(id, Arc::clone(&entry));
        Ok(Created { entry, existed: false })
    }
}

#[async_trait]
impl EntryApi for Fake {
    async fn count_entries(&self, _: &Extensions, filter: EntryFilter) -> Result<u64, Status> {
        let entries = self.0.lock().unwrap();
        Ok(entries.values().filter(|entry| filter.matches(entry)).count() as u64)
    }

    async fn list_entries(
        &self,
        _: &Extensions,
        filter: EntryFilter,
        page: Page<EntryId>,
    ) -> Result<Paged<Arc<Entry>>, Status> {
        let entries = self.0.lock().unwrap();
        let wanted = entries.values().filter(|entry| filter.matches(entry)).cloned();
        Ok(page.cut(wanted, |entry| entry.id.clone()))
    }

    async fn entry(&self, _: &Extensions, id: EntryId) -> Result<Arc<Entry>, Status> {
        self.0.lock().unwrap().get(&id).cloned().ok_or_else(not_found)
    }

    async fn create_entries(
        &self,
        _: &Extensions,
        drafts: Vec<(Option<EntryId>, EntryDraft)>,
    ) -> Vec<Result<Created, Status>> {
        drafts.into_iter().map(|(id, draft)| self.create(id, draft)).collect()
    }

    async fn update_entry(
        &self,
        ctx: &Extensions,
        id: EntryId,
        update: EntryUpdate,
    ) -> Result<Arc<Entry>, Status> {
        let old = self.entry(ctx, id.clone()).await?;
        let mut draft = (*old).clone().into_draft();
        update.apply(&mut draft);
        let mut new = Entry::new(draft, id.clone(), &trust_domain(), old.created_at).unwrap();
        new.revision_number = old.revision_number + 1;
        let new = Arc::new(new);
        self.0.lock().unwrap().insert(id, Arc::clone(&new));
        Ok(new)
    }

    async fn delete_entry(&self, _: &Extensions, id: EntryId) -> Result<(), Status> {
        self.0.lock().unwrap().remove(&id).map(drop).ok_or_else(not_found)
    }

    async fn authorized_entries(&self, _: &Extensions) -> Result<Vec<Arc<Entry>>, Status> {
        Ok(self.0.lock().unwrap().values().cloned().collect())
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        if self.1 == Some(pause) { Box::pin(ready(())) } else { Box::pin(pending()) }
    }
}

#[tokio::test]
async fn entry_is_made_changed_and_deleted() {
    served(entry_service(Arc::new(Fake::default())), async |channel| {
        let client = EntryClient::new(channel);
        let created = client.create_entry(None, &full_entry()).await.unwrap();
        assert_eq!((created.existed, created.entry.id.as_str()), (false, "chosen"));
        assert_eq!(**created.entry, *full_entry());
        let chosen = created.entry.id.clone();
        let update = EntryUpdate { hint: Some("external".to_owned()), ..EntryUpdate::default() };
        let updated = client.update_entry(&chosen, update).await.unwrap();
        assert_eq!((updated.revision_number, updated.hint.as_str()), (1, "external"));
        assert_eq!(client.entry(&chosen).await.unwrap(), updated);
        client.delete_entry(&chosen).await.unwrap();
        for gone in [
            client.entry(&chosen).await.map(drop),
            client.delete_entry(&chosen).await,
            client.update_entry(&chosen, EntryUpdate::default()).await.map(drop),
        ] {
            assert_eq!(gone.unwrap_err().code(), Code::NotFound);
        }
    })
    .await;
}

#[tokio::test]
async fn similar_entry_is_answered_with_the_one_there_is() {
    served(entry_service(Fake::with([full_entry()])), async |channel| {
        let created = EntryClient::new(channel.clone()).create_entry(None, &full_entry()).await.unwrap();
        assert_eq!((created.existed, created.entry.as_ref()), (true, &full_entry()));
        let request = NewEntries {
            entries: vec![convert::encode_draft(None, &full_entry())],
            output_mask: Some(types::EntryMask::default()),
        };
        let answer = Stub::new(channel).batch_create_entry(request).await.unwrap().into_inner();
        let status = answer.results[0].status.clone().unwrap();
        assert_eq!((status.code, status.message.as_str()), (6, "similar entry already exists"));
        let masked = types::Entry { id: "full".to_owned(), ..Default::default() };
        assert_eq!(answer.results[0].entry.clone().map(decoded), Some(masked));
    })
    .await;
}

#[tokio::test]
async fn client_makes_more_entries_than_a_batch_holds_and_tells_of_each_in_order() {
    served(entry_service(Fake::with([entry(3)])), async |channel| {
        let mut wanted: Vec<(Option<EntryId>, EntryDraft)> =
            (0..MAX_BATCH + 2).map(|n| (Some(entry(n).id), entry(n).into_draft())).collect();
        // The first of the second batch.
        wanted[MAX_BATCH].1.parent_id = SpiffeId::parse("spiffe://other.test/agent").unwrap();
        let outcomes = EntryClient::new(channel).create_entries(&wanted).await.unwrap();
        assert_eq!(outcomes.len(), wanted.len());
        for (n, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(created) => {
                    assert_eq!((&created.entry.id, created.existed), (&entry(n).id, n == 3));
                    assert_ne!(n, MAX_BATCH);
                }
                Err(status) => assert_eq!((n, status.code()), (MAX_BATCH, Code::InvalidArgument)),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn client_makes_no_entries_without_a_call() {
    served(entry_service(Fake::with([])), async |channel| {
        assert!(EntryClient::new(channel).create_entries(&[]).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn batch_keeps_its_order_and_each_item_its_status() {
    served(entry_service(Fake::with([entry(1)])), async |channel| {
        let bad = types::Entry { parent_id: None, ..decoded(convert::encode_draft(None, &entry(3))) };
        let request = NewEntries {
            entries: vec![
                convert::encode_draft(Some(&entry(2).id), &entry(2)),
                bad.encode_to_vec().into(),
                convert::encode_draft(None, &entry(1)),
                Bytes::from_static(b"\x0a\x01\xff"),
                convert::encode_draft(Some(&entry(4).id), &entry(4)),
            ],
            output_mask: None,
        };
        let mut stub = Stub::new(channel);
        let answer = stub.batch_create_entry(request).await.unwrap().into_inner();
        let outcome = |result: &NewEntryResult| {
            let status = result.status.clone().unwrap();
            (status.code, status.message, result.entry.clone().map(|entry| decoded(entry).id))
        };
        let expected = [
            (0, "OK", Some("entry-00002")),
            (3, "failed to convert entry: missing entry's parent_id", None),
            (6, "similar entry already exists", Some("entry-00001")),
            (3, "failed to convert entry: entry is no valid message", None),
            (0, "OK", Some("entry-00004")),
        ];
        let expected = expected.map(|(code, text, id)| (code, text.to_owned(), id.map(str::to_owned)));
        assert_eq!(answer.results.iter().map(outcome).collect::<Vec<_>>(), expected);

        let ids = ["entry-00001", "", "nowhere", "entry-00004"].map(str::to_owned).to_vec();
        let request = proto::BatchDeleteEntryRequest { ids: ids.clone() };
        let results = stub.batch_delete_entry(request).await.unwrap().into_inner().results;
        assert_eq!(results.iter().map(|result| result.id.clone()).collect::<Vec<_>>(), ids);
        let codes: Vec<_> = results.into_iter().map(|result| result.status.unwrap().code).collect();
        assert_eq!(codes, [0, 3, 5, 0]);

        let request = proto::BatchUpdateEntryRequest {
            entries: vec![
                types::Entry::default(),
                decoded(convert::encode_draft(Some(&entry(2).id), &entry(5))),
            ],
            input_mask: None,
            output_mask: Some(types::EntryMask { revision_number: true, ..Default::default() }),
        };
        let results = stub.batch_update_entry(request).await.unwrap().into_inner().results;
        assert_eq!(results[0].status.as_ref().unwrap().code, 3);
        let entry = results[1].entry.clone().unwrap();
        assert_eq!((entry.revision_number, entry.spiffe_id), (1, None));
    })
    .await;
}

#[tokio::test]
async fn request_for_entries_beyond_4_mib_is_refused() {
    served(entry_service(Arc::new(Fake::default())), async |channel| {
        let ids = vec!["x".repeat(5 * 1024 * 1024)];
        let request = proto::BatchDeleteEntryRequest { ids };
        let error = Stub::new(channel).batch_delete_entry(request).await.unwrap_err();
        assert_eq!(error.code(), Code::OutOfRange, "{error}");
        assert!(error.message().contains("4194304"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn batch_over_the_limit_is_refused() {
    served(entry_service(Arc::new(Fake::default())), async |channel| {
        let mut stub = Stub::new(channel);
        let ids = vec!["one".to_owned(); 501];
        let refused = [
            stub.batch_delete_entry(proto::BatchDeleteEntryRequest { ids }).await.unwrap_err(),
            stub.batch_create_entry(NewEntries { entries: vec![Bytes::new(); 501], output_mask: None })
                .await
                .unwrap_err(),
        ];
        for error in refused {
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().ends_with("at most 500 are allowed, send fewer at a time"), "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn list_and_count_are_filtered_and_paged() {
    let entries = (0..1201).map(entry).chain([full_entry()]);
    served(entry_service(Fake::with(entries)), async |channel| {
        let client = EntryClient::new(channel.clone());
        let all = client.list_entries(EntryFilter::default()).await.unwrap();
        assert_eq!(all.len(), 1202);
        assert!(all.is_sorted_by(|a, b| a.id < b.id));
        let filter = EntryFilter { spiffe_id: Some(id("/db")), ..EntryFilter::default() };
        assert_eq!(client.count_entries(filter.clone()).await.unwrap(), 1);
        assert_eq!(client.list_entries(filter).await.unwrap(), [full_entry()]);
        let mut stub = Stub::new(channel);
        let whole = stub.list_entries(proto::ListEntriesRequest::default()).await.unwrap().into_inner();
        assert_eq!((whole.entries.len(), whole.next_page_token.as_str()), (1202, ""));
        let bad = proto::ListEntriesRequest { page_token: "?".to_owned(), ..Default::default() };
        assert_eq!(stub.list_entries(bad).await.unwrap_err().code(), Code::InvalidArgument);
        let no_selectors = proto::list_entries_request::Filter {
            by_selectors: Some(types::SelectorMatch::default()),
            ..Default::default()
        };
        let bad = proto::ListEntriesRequest { filter: Some(no_selectors), ..Default::default() };
        assert_eq!(stub.list_entries(bad).await.unwrap_err().code(), Code::InvalidArgument);
    })
    .await;
}

#[tokio::test]
async fn authorized_entries_come_whole() {
    served(entry_service(Fake::with((0..3).map(entry))), async |channel| {
        let entries = EntryClient::new(channel).authorized_entries().await.unwrap();
        assert_eq!(entries, (0..3).map(entry).collect::<Vec<_>>());
    })
    .await;
}

mod sync;

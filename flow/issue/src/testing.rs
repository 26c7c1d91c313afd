//! For tests: a house with a clock, keys and a store in memory, which break when told to.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use finial_daemon::{Clock, ClockHand};
use finial_identity::{Bundle, BundleSet, KeyKind, PrivateKey, PublicKey, TrustDomain};
use finial_keys::{Key, KeyManager, KeysError, MemoryKeys};
use finial_store::{Bundles, Federating, Journal, JournalRecord, Noun, Revision, StoreError, StoredBundle};

use crate::IssueConfig;

pub(crate) const START: Duration = Duration::from_secs(1_800_000_000);

/// When the parts of the house begin to fail. The call at which they do has had its effect, or not.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    calls: AtomicUsize,
    fail_at: AtomicUsize,
    with_effect: std::sync::atomic::AtomicBool,
}

/// What the faults say about a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Succeeds,
    FailsAfterItsEffect,
    Fails,
}

impl Faults {
    /// From the `call`-th call on (from 1), everything fails; 0 for never.
    pub(crate) fn arm(&self, call: usize, with_effect: bool) {
        self.calls.store(0, Ordering::SeqCst);
        self.fail_at.store(call, Ordering::SeqCst);
        self.with_effect.store(with_effect, Ordering::SeqCst);
    }

    fn fate(&self) -> Fate {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fail_at.load(Ordering::SeqCst) {
            0 => Fate::Succeeds,
            at if call < at => Fate::Succeeds,
            at if call == at && self.with_effect.load(Ordering::SeqCst) => Fate::FailsAfterItsEffect,
            _ => Fate::Fails,
        }
    }

    fn store<T>(&self, effect: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let lost = || StoreError::Unavailable { source: "told to fail".into() };
        match self.fate() {
            Fate::Succeeds => effect(),
            Fate::FailsAfterItsEffect => effect().and_then(|_| Err(lost())),
            Fate::Fails => Err(lost()),
        }
    }
}

fn keys_lost() -> KeysError {
    KeysError::Manager { manager: "test".to_owned(), source: "told to fail".into() }
}

#[derive(Debug, Default)]
struct Content {
    bundle: Option<Bundle>,
    journal: Option<JournalRecord>,
    previous: Option<JournalRecord>,
}

/// A store that holds one bundle and one journal.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    content: Mutex<Content>,
    pub(crate) faults: Arc<Faults>,
}

impl MemoryStore {
    pub(crate) fn forget_bundle(&self) {
        self.content.lock().unwrap().bundle = None;
    }

    pub(crate) fn forget_journal(&self) {
        let mut content = self.content.lock().unwrap();
        content.journal = None;
        content.previous = None;
    }

    /// Puts back the journal as it was one write ago.
    pub(crate) fn restore_previous_journal(&self) {
        let mut content = self.content.lock().unwrap();
        content.journal = content.previous.take();
    }

    pub(crate) fn journal_bytes(&self) -> Vec<u8> {
        self.content.lock().unwrap().journal.as_ref().unwrap().bytes.clone()
    }

    pub(crate) fn overwrite_journal(&self, bytes: &[u8]) {
        self.content.lock().unwrap().journal.as_mut().unwrap().bytes = bytes.to_vec();
    }

    /// As [`overwrite_journal`](Self::overwrite_journal), for the generation before.
    pub(crate) fn overwrite_previous_journal(&self, bytes: &[u8]) {
        self.content.lock().unwrap().previous.as_mut().unwrap().bytes = bytes.to_vec();
    }

    pub(crate) fn stored(&self) -> Bundle {
        self.content.lock().unwrap().bundle.clone().unwrap()
    }
}

#[async_trait]
impl Bundles for MemoryStore {
    async fn put_bundle(&self, bundle: Bundle) -> Result<StoredBundle, StoreError> {
        let sequence_number =
            self.content.lock().unwrap().bundle.as_ref().map_or(0, |stored| stored.sequence_number);
        self.replace_bundle(Bundle { sequence_number, ..bundle }).await
    }

    async fn replace_bundle(&self, mut bundle: Bundle) -> Result<StoredBundle, StoreError> {
        self.faults.store(|| {
            let mut content = self.content.lock().unwrap();
            if content.bundle.as_ref().map_or(0, |stored| stored.sequence_number) != bundle.sequence_number {
                let key = bundle.trust_domain.to_string();
                return Err(StoreError::Conflict { noun: Noun::Bundle, key });
            }
            bundle.sequence_number += 1;
            let sequence_number = bundle.sequence_number;
            content.bundle = Some(bundle);
            Ok(StoredBundle { revision: sequence_number, sequence_number })
        })
    }

    async fn delete_bundle(&self, _: &TrustDomain, _: Federating) -> Result<Revision, StoreError> {
        unreachable!("issue never deletes a bundle")
    }

    async fn bundle(&self, _trust_domain: &TrustDomain) -> Result<Option<Bundle>, StoreError> {
        self.faults.store(|| Ok(self.content.lock().unwrap().bundle.clone()))
    }

    async fn bundles(&self) -> Result<Vec<Bundle>, StoreError> {
        unreachable!("issue reads one bundle")
    }
}

#[async_trait]
impl Journal for MemoryStore {
    async fn journal(&self) -> Result<Option<JournalRecord>, StoreError> {
        self.faults.store(|| Ok(self.content.lock().unwrap().journal.clone()))
    }

    async fn previous_journal(&self) -> Result<Option<JournalRecord>, StoreError> {
        self.faults.store(|| Ok(self.content.lock().unwrap().previous.clone()))
    }

    async fn put_journal(&self, bytes: Vec<u8>, expected: Option<Revision>) -> Result<Revision, StoreError> {
        self.faults.store(|| {
            let mut content = self.content.lock().unwrap();
            if content.journal.as_ref().map(|record| record.revision) != expected {
                return Err(StoreError::Conflict { noun: Noun::Journal, key: "authorities".to_owned() });
            }
            let revision = expected.unwrap_or(0) + 1;
            content.previous = content.journal.replace(JournalRecord { revision, bytes });
            Ok(revision)
        })
    }
}

/// Keys in memory that break when told to.
#[derive(Debug)]
pub(crate) struct TestKeys {
    keys: MemoryKeys,
    faults: Arc<Faults>,
}

#[derive(Debug)]
struct TestKey {
    key: Arc<dyn Key>,
    faults: Arc<Faults>,
}

impl TestKeys {
    fn wrap(&self, key: Arc<dyn Key>) -> Arc<dyn Key> {
        Arc::new(TestKey { key, faults: Arc::clone(&self.faults) })
    }
}

#[async_trait]
impl KeyManager for TestKeys {
    async fn generate(&self, id: &str, kind: KeyKind) -> Result<Arc<dyn Key>, KeysError> {
        match self.faults.fate() {
            Fate::Succeeds => Ok(self.wrap(self.keys.generate(id, kind).await?)),
            Fate::FailsAfterItsEffect => {
                self.keys.generate(id, kind).await?;
                Err(keys_lost())
            }
            Fate::Fails => Err(keys_lost()),
        }
    }

    async fn key(&self, id: &str) -> Result<Option<Arc<dyn Key>>, KeysError> {
        Ok(self.keys.key(id).await?.map(|key| self.wrap(key)))
    }

    async fn keys(&self) -> Result<Vec<Arc<dyn Key>>, KeysError> {
        if self.faults.fate() != Fate::Succeeds {
            return Err(keys_lost());
        }
        Ok(self.keys.keys().await?.into_iter().map(|key| self.wrap(key)).collect())
    }

    async fn delete(&self, id: &str) -> Result<(), KeysError> {
        match self.faults.fate() {
            Fate::Succeeds => self.keys.delete(id).await,
            Fate::FailsAfterItsEffect => self.keys.delete(id).await.and(Err(keys_lost())),
            Fate::Fails => Err(keys_lost()),
        }
    }
}

#[async_trait]
impl Key for TestKey {
    fn id(&self) -> &str {
        self.key.id()
    }

    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeysError> {
        match self.faults.fate() {
            Fate::Succeeds => self.key.sign(message).await,
            _ => Err(keys_lost()),
        }
    }

    fn local(&self) -> Option<&PrivateKey> {
        self.key.local()
    }
}

/// Everything around the authorities of one trust domain.
pub(crate) struct House {
    pub(crate) config: IssueConfig,
    pub(crate) keys: Arc<dyn KeyManager>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Clock,
    pub(crate) hand: ClockHand,
}

impl House {
    pub(crate) fn new() -> Self {
        let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH + START);
        let config = IssueConfig::new(TrustDomain::parse("example.org").unwrap());
        let store = Arc::new(MemoryStore::default());
        let keys = Arc::new(TestKeys { keys: MemoryKeys::new(), faults: Arc::clone(&store.faults) });
        Self { config, keys, store, clock, hand }
    }

    /// What a process with keys in memory finds when it starts again.
    pub(crate) fn lose_keys(&mut self) {
        self.keys = Arc::new(TestKeys { keys: MemoryKeys::new(), faults: Arc::clone(&self.store.faults) });
    }

    pub(crate) fn bundles(&self) -> BundleSet {
        std::iter::once(Arc::new(self.store.stored())).collect()
    }
}

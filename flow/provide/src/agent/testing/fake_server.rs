//! A server made of memory, which fails when told to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_identity::{
    Audience, Bundle, CertificateRequest, Entry, EntryId, JwtAuthority, JwtClaims, JwtSigningInput, JwtSvid,
    KeyKind, PrivateKey, SpiffeId, TrustDomain, X509Svid,
};
use finial_wire::client::SyncedEntries;
use finial_wire::refused_until;
use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tonic::{Code, Status};

use super::{Authority, LIFE, trust_domain};
use crate::agent::upstream::{Known, Revisions, Upstream};

/// What the server was asked so far.
#[derive(Debug, Clone, Default)]
pub(in crate::agent) struct Calls {
    pub(in crate::agent) syncs: usize,
    /// The sizes of the batches asked for, refused ones included.
    pub(in crate::agent) batches: Vec<usize>,
    pub(in crate::agent) tokens: usize,
    /// Calls for federated bundles on their way, and the most there ever were.
    pub(in crate::agent) bundles_now: usize,
    pub(in crate::agent) most_bundles: usize,
}

pub(in crate::agent) struct FakeServer {
    clock: Clock,
    state: Mutex<State>,
    news: watch::Sender<News>,
    calls: watch::Sender<Calls>,
    /// Whether batches that were issued are also handed out.
    delivers: watch::Sender<bool>,
}

#[derive(Debug, Clone, Copy)]
struct News {
    revision: u64,
    is_away: bool,
}

struct State {
    entries: BTreeMap<EntryId, Entry>,
    authority: Arc<Authority>,
    jwt: (String, PrivateKey),
    bundle: Bundle,
    federated: HashMap<TrustDomain, Bundle>,
    /// Bundles that cannot be had now.
    withheld: HashSet<TrustDomain>,
    pushes: bool,
    most_at_once: usize,
    /// What it tells those who ask for too many: after what time to ask again.
    told: Option<Duration>,
    /// Whether calls for tokens are never answered.
    hangs: bool,
    /// The identity that every SVID is issued for, whatever the entry says.
    mistake: Option<SpiffeId>,
}

impl FakeServer {
    pub(in crate::agent) fn new(clock: Clock) -> Self {
        let authority = Arc::new(Authority::new("first"));
        let jwt = ("jwt-1".to_owned(), PrivateKey::generate(KeyKind::EcP256).unwrap());
        let mut bundle = Bundle::empty(trust_domain());
        bundle.x509_authorities = vec![authority.certificate()];
        bundle.jwt_authorities = vec![jwt_authority(&jwt)];
        bundle.sequence_number = 1;
        let state = State {
            entries: BTreeMap::new(),
            authority,
            jwt,
            bundle,
            federated: HashMap::new(),
            withheld: HashSet::new(),
            pushes: true,
            most_at_once: usize::MAX,
            told: None,
            hangs: false,
            mistake: None,
        };
        let news = watch::Sender::new(News { revision: 1, is_away: false });
        Self {
            clock,
            state: Mutex::new(state),
            news,
            calls: watch::Sender::new(Calls::default()),
            delivers: watch::Sender::new(true),
        }
    }

    /// Creates the entry, or changes the one with its ID.
    pub(in crate::agent) fn put(&self, mut entry: Entry) {
        self.change(|state| {
            let before = state.entries.get(&entry.id);
            entry.revision_number = before.map_or(0, |before| before.revision_number + 1);
            state.entries.insert(entry.id.clone(), entry);
        });
    }

    pub(in crate::agent) fn delete(&self, id: &str) {
        self.change(|state| state.entries.retain(|entry, _| entry.as_str() != id));
    }

    /// Changes the own bundle, under the next sequence number.
    pub(in crate::agent) fn change_bundle(&self, change: impl FnOnce(&mut Bundle)) {
        self.change(|state| {
            change(&mut state.bundle);
            state.bundle.sequence_number += 1;
        });
    }

    /// Puts a bundle in place as it is.
    pub(in crate::agent) fn replace_bundle(&self, bundle: Bundle) {
        self.change(|state| state.bundle = bundle);
    }

    /// Adds an authority to the bundle and signs by it from now on.
    pub(in crate::agent) fn use_authority(&self, authority: Authority) {
        self.change_bundle(|bundle| bundle.x509_authorities.push(authority.certificate()));
        self.state().authority = Arc::new(authority);
    }

    /// Adds a JWT key to the bundle and signs by it from now on.
    pub(in crate::agent) fn use_jwt_key(&self, key_id: &str) {
        let jwt = (key_id.to_owned(), PrivateKey::generate(KeyKind::EcP256).unwrap());
        self.change_bundle(|bundle| bundle.jwt_authorities.push(jwt_authority(&jwt)));
        self.state().jwt = jwt;
    }

    pub(in crate::agent) fn federate(&self, bundle: Bundle) {
        self.change(|state| state.federated.insert(bundle.trust_domain.clone(), bundle));
    }

    /// Fails to give this bundle from now on.
    pub(in crate::agent) fn withhold(&self, trust_domain: &TrustDomain) {
        self.change(|state| state.withheld.insert(trust_domain.clone()));
    }

    pub(in crate::agent) fn cannot_push(&self) {
        self.state().pushes = false;
    }

    /// Answers no call for a token from now on.
    pub(in crate::agent) fn hang(&self) {
        self.state().hangs = true;
    }

    /// Refuses larger batches.
    pub(in crate::agent) fn issue_at_most(&self, most: usize) {
        self.state().most_at_once = most;
    }

    /// Signs nothing, and says for how long; `None` ends that.
    pub(in crate::agent) fn be_busy(&self, told: Option<Duration>) {
        let mut state = self.state();
        state.most_at_once = told.map_or(usize::MAX, |_| 0);
        state.told = told;
    }

    pub(in crate::agent) fn issue_for(&self, mistake: Option<SpiffeId>) {
        self.state().mistake = mistake;
    }

    /// Answers nothing while away, and breaks open streams.
    pub(in crate::agent) fn go_away(&self, is_away: bool) {
        self.news.send_modify(|news| news.is_away = is_away);
    }

    pub(in crate::agent) fn bundle_now(&self) -> Bundle {
        self.state().bundle.clone()
    }

    pub(in crate::agent) fn revision(&self) -> u64 {
        self.news.borrow().revision
    }

    pub(in crate::agent) fn calls(&self) -> Calls {
        self.calls.borrow().clone()
    }

    /// A token of the server's own trust domain, with the key it signs by now.
    pub(in crate::agent) fn token(&self, subject: &SpiffeId, audience: &Audience, life: Duration) -> String {
        let (issued_at, expires_at) = (self.clock.now(), self.clock.now() + life);
        let (subject, audience) = (subject.clone(), audience.clone());
        let claims = JwtClaims { subject, audience, issued_at, expires_at, issuer: None, id: None };
        sign(&claims, &self.state().jwt)
    }

    /// Holds back the batches that are issued, or lets them go.
    pub(in crate::agent) fn deliver(&self, delivers: bool) {
        self.delivers.send_replace(delivers);
    }

    fn issue(&self, requests: Vec<(EntryId, Vec<u8>)>) -> Result<Vec<Result<X509Svid, Status>>, Status> {
        let state = self.state();
        if requests.len() > state.most_at_once {
            let busy = |after| refused_until(Code::ResourceExhausted, "busy", after);
            return Err(state.told.map_or_else(|| Status::resource_exhausted("too many at once"), busy));
        }
        let now = self.clock.now();
        let (begins, ends) = (now - Duration::from_secs(60), now + LIFE);
        let issue = |(id, csr): (EntryId, Vec<u8>)| {
            let entry = state.entries.get(&id).ok_or_else(|| Status::not_found("entry not found"))?;
            let csr = CertificateRequest::parse_der(&csr).unwrap();
            assert_eq!(csr.uri_names(), [entry.spiffe_id.to_string()]);
            let id = state.mistake.as_ref().unwrap_or(&entry.spiffe_id);
            Ok(state.authority.issue(id, csr.public_key(), begins, ends))
        };
        Ok(requests.into_iter().map(issue).collect())
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) {
        change(&mut self.state());
        self.news.send_modify(|news| news.revision += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn asked(&self, note: impl FnOnce(&mut Calls)) -> Result<(), Status> {
        self.calls.send_modify(note);
        if self.news.borrow().is_away { Err(away()) } else { Ok(()) }
    }
}

#[async_trait]
impl Upstream for FakeServer {
    async fn sync_entries(&self, known: &Known) -> Result<SyncedEntries, Status> {
        self.asked(|calls| calls.syncs += 1)?;
        let state = self.state();
        let is_new = |entry: &Entry| known.get(&entry.id) != Some(&(entry.revision_number, entry.created_at));
        let (changed, rest): (Vec<Entry>, Vec<Entry>) = state.entries.values().cloned().partition(is_new);
        Ok(SyncedEntries { changed, unchanged: rest.into_iter().map(|entry| entry.id).collect() })
    }

    async fn new_x509_svids(
        &self,
        requests: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status> {
        self.asked(|calls| calls.batches.push(requests.len()))?;
        let answers = self.issue(requests)?;
        let _ = self.delivers.subscribe().wait_for(|delivers| *delivers).await;
        Ok(answers)
    }

    async fn new_jwt_svid(&self, entry: &EntryId, audience: &Audience) -> Result<JwtSvid, Status> {
        self.asked(|calls| calls.tokens += 1)?;
        // So that callers who ask at one time meet.
        tokio::task::yield_now().await;
        if self.state().hangs {
            std::future::pending::<()>().await;
        }
        let subject = self.state().entries.get(entry).map(|entry| entry.spiffe_id.clone());
        let subject = subject.ok_or_else(|| Status::not_found("entry not found"))?;
        let token = self.token(&subject, audience, Duration::from_secs(300));
        Ok(JwtSvid::parse_unverified(&token).unwrap())
    }

    async fn bundle(&self) -> Result<Bundle, Status> {
        self.asked(|_| {})?;
        Ok(self.bundle_now())
    }

    async fn federated_bundle(&self, trust_domain: &TrustDomain) -> Result<Bundle, Status> {
        self.asked(|_| {})?;
        self.calls.send_modify(|calls| calls.bundles_now += 1);
        // So that those who ask at one time meet.
        tokio::task::yield_now().await;
        self.calls.send_modify(|calls| {
            calls.most_bundles = calls.most_bundles.max(calls.bundles_now);
            calls.bundles_now -= 1;
        });
        if self.state().withheld.contains(trust_domain) {
            return Err(away());
        }
        let bundle = self.state().federated.get(trust_domain).cloned();
        bundle.ok_or_else(|| Status::not_found("bundle not found"))
    }

    async fn revisions(&self) -> Result<Revisions, Status> {
        self.asked(|_| {})?;
        if !self.state().pushes {
            return Err(Status::unimplemented("Watch"));
        }
        let mut news = self.news.subscribe();
        news.mark_changed();
        let next = |mut news: watch::Receiver<News>| async move {
            news.changed().await.ok()?;
            let News { revision, is_away } = *news.borrow_and_update();
            let item = if is_away { Err(away()) } else { Ok(revision) };
            Some((item, news))
        };
        Ok(stream::unfold(news, next).boxed())
    }
}

fn away() -> Status {
    Status::unavailable("the server is away")
}

fn jwt_authority((key_id, key): &(String, PrivateKey)) -> JwtAuthority {
    let public_key = key.public_key().clone();
    JwtAuthority { key_id: key_id.clone(), public_key, expires_at: None, tainted: false }
}

/// Signs claims by a P-256 key.
pub(in crate::agent) fn sign(claims: &JwtClaims, (key_id, key): &(String, PrivateKey)) -> String {
    let input = JwtSigningInput::new(claims, key_id, KeyKind::EcP256).unwrap();
    let signature = key.sign(input.bytes()).unwrap();
    input.finish(&signature).unwrap()
}

//! The Secret Discovery Service, asked by the test's own process whose selectors the test decides.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod delta;
mod trust;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use finial_attest::{AttestError, PeerPidfd, PinnedProcess, WorkloadAttestor, WorkloadAttestors};
use finial_identity::{Bundle, Entry, Selector, TrustDomain};
use finial_wire::server::{Messages, SecretApi};
use finial_wire::{
    EnvoyNode, Secret, SecretContent, SecretDelta, SecretDeltaRequest, SecretRequest, SecretUpdate,
};
use futures_util::{FutureExt, StreamExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Extensions, Status};

use super::{SdsOptions, Secrets};
use crate::agent::testing::{Agent, Authority, FakeServer, draft, entry};
use crate::agent::workload_api::{StreamLimits, WorkloadPeer};

/// Reaches the end of an Envoy's patience, and what comes before it.
const PATIENCE: Duration = Duration::from_secs(11);
/// Reaches what is due at once.
const SOON: Duration = Duration::from_millis(200);

/// An attestor that finds what it was told to find.
#[derive(Debug, Default)]
struct Told(Mutex<BTreeSet<String>>);

#[async_trait]
impl WorkloadAttestor for Told {
    fn kind(&self) -> &str {
        "test"
    }

    async fn attest(&self, _process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        let values = self.0.lock().unwrap();
        Ok(values.iter().map(|value| Selector::new("test", value).unwrap()).collect())
    }
}

/// An attestor that finds `late:yes`, as soon as it answers.
#[derive(Debug)]
struct Late {
    is_silent: AtomicBool,
}

#[async_trait]
impl WorkloadAttestor for Late {
    fn kind(&self) -> &str {
        "late"
    }

    async fn attest(&self, _process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        if self.is_silent.load(Ordering::Relaxed) {
            return Err(AttestError::Workload);
        }
        Ok(vec![Selector::new("late", "yes").unwrap()])
    }
}

/// An agent with its SDS, and an Envoy.
struct Case {
    agent: Agent,
    api: Secrets,
    told: Arc<Told>,
    late: Arc<Late>,
    ctx: Extensions,
    /// The Envoy's end of the connection.
    _connection: UnixStream,
}

/// A stream of an Envoy.
struct Stream<Q, A> {
    requests: mpsc::Sender<Result<Q, Status>>,
    answers: Messages<A>,
}

type World = Stream<SecretRequest, SecretUpdate>;
type Delta = Stream<SecretDeltaRequest, SecretDelta>;

impl Case {
    /// An agent with these entries and their SVIDs, and an Envoy with the selector `test:envoy`.
    async fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let case = Self::with_server(entries, |server| server.federate(other_bundle()));
        case.agent.catch_up().await;
        case
    }

    /// The same, whose SVIDs are still to be issued.
    fn with_server(entries: impl IntoIterator<Item = Entry>, prepare: impl FnOnce(&FakeServer)) -> Self {
        let agent = Agent::start_with(entries, prepare);
        let told = Arc::new(Told::default());
        let late = Arc::new(Late { is_silent: AtomicBool::new(false) });
        let attestors: [Arc<dyn WorkloadAttestor>; 2] = [Arc::clone(&told) as _, Arc::clone(&late) as _];
        let attestors = WorkloadAttestors::new(attestors, Duration::from_secs(10), agent.clock.clone());
        let streams = StreamLimits { per_process: 2, per_user: 2 };
        let options = SdsOptions { streams, ..SdsOptions::default() };
        let api = Secrets::new(agent.cache.clone(), Arc::new(attestors), options, agent.clock.clone());
        let (connection, accepted) = UnixStream::pair().unwrap();
        let process = Arc::new(PinnedProcess::of_peer(&accepted, PeerPidfd::default()).unwrap());
        let mut ctx = Extensions::new();
        ctx.insert(WorkloadPeer::new(process));
        let case = Self { agent, api, told, late, ctx, _connection: connection };
        case.become_one_with(&["envoy"]);
        case
    }

    /// The caller is another program from now on.
    fn become_one_with(&self, selectors: &[&str]) {
        *self.told.0.lock().unwrap() = selectors.iter().map(|text| (*text).to_owned()).collect();
    }

    async fn open(&self, first: SecretRequest) -> World {
        let (requests, queue) = requests(first);
        let answers = self.within(SOON, self.api.stream(&self.ctx, queue)).await.unwrap();
        Stream { requests, answers }
    }

    async fn open_delta(&self, first: SecretDeltaRequest) -> Delta {
        let (requests, queue) = requests(first);
        let answers = self.within(SOON, self.api.delta(&self.ctx, queue)).await.unwrap();
        Stream { requests, answers }
    }

    /// The outcome, while time passes to what is due within the horizon.
    async fn within<T>(&self, horizon: Duration, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            if let Some(output) = future.as_mut().now_or_never() {
                return output;
            }
            self.agent.pass(horizon);
            tokio::task::yield_now().await;
        }
    }

    /// The next answer.
    async fn next<Q, A>(&self, stream: &mut Stream<Q, A>) -> A {
        self.within(SOON, stream.answers.next()).await.unwrap().unwrap()
    }

    /// How the stream ends: at once, or when patience ends.
    async fn end<Q, A>(&self, stream: &mut Stream<Q, A>, horizon: Duration) -> Status {
        self.within(horizon, stream.answers.next()).await.unwrap().err().expect("the stream ends")
    }

    /// The agent has seen everything, and the Envoy hears nothing of it.
    async fn silence<Q, A>(&self, stream: &mut Stream<Q, A>) {
        self.agent.catch_up().await;
        assert!(stream.answers.next().now_or_never().is_none());
    }
}

fn requests<Q: Send + 'static>(first: Q) -> (mpsc::Sender<Result<Q, Status>>, Messages<Q>) {
    let (requests, queue) = mpsc::channel(8);
    requests.try_send(Ok(first)).unwrap();
    (requests, ReceiverStream::new(queue).boxed())
}

impl<Q, A> Stream<Q, A> {
    fn send(&self, request: Q) {
        self.requests.try_send(Ok(request)).unwrap();
    }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn asking(names: &[&str]) -> SecretRequest {
    SecretRequest { names: strings(names), ..SecretRequest::default() }
}

/// The acknowledgement of an answer.
fn taken(names: &[&str], update: &SecretUpdate) -> SecretRequest {
    SecretRequest { version: update.version.clone(), nonce: update.version.clone(), ..asking(names) }
}

/// The refusal of an answer.
fn refused(names: &[&str], update: &SecretUpdate) -> SecretRequest {
    SecretRequest { nonce: update.version.clone(), rejection: Some("no PEM".to_owned()), ..asking(names) }
}

fn subscribing(names: &[&str]) -> SecretDeltaRequest {
    SecretDeltaRequest { subscribe: strings(names), ..SecretDeltaRequest::default() }
}

fn node(version: (u32, u32), metadata: &[(&str, &str)]) -> EnvoyNode {
    let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    EnvoyNode { id: "front".to_owned(), version: Some(version), metadata: metadata.collect() }
}

/// Name and content of each secret, as a test states it.
fn contents(secrets: &[Secret]) -> Vec<String> {
    let content = |content: &SecretContent| match content {
        SecretContent::Credential(held) => held.svid().id().path().to_owned(),
        SecretContent::Spiffe(bundles) => {
            let names: Vec<_> = bundles.iter().map(|bundle| bundle.trust_domain.name()).collect();
            format!("validator of {}", names.join(" and "))
        }
        SecretContent::Authorities(bundle) => format!("authorities of {}", bundle.trust_domain),
        SecretContent::Nobody(_) => "nobody".to_owned(),
    };
    secrets.iter().map(|secret| format!("{}: {}", secret.name, content(&secret.content))).collect()
}

fn web() -> Entry {
    entry("web", draft("web", &["test:envoy"]))
}

fn api() -> Entry {
    entry("xapi", draft("api", &["test:envoy"]))
}

/// An entry that federates with `other.test`.
fn open_web() -> Entry {
    let mut draft = draft("web", &["test:envoy"]);
    draft.federates_with = vec![other()];
    entry("web", draft)
}

fn other() -> TrustDomain {
    TrustDomain::parse("other.test").unwrap()
}

fn other_bundle() -> Bundle {
    Bundle { x509_authorities: vec![Authority::new("other").certificate()], ..Bundle::empty(other()) }
}

fn versions(delta: &SecretDelta) -> BTreeMap<String, String> {
    delta.secrets.iter().map(|secret| (secret.name.clone(), secret.version.clone())).collect()
}

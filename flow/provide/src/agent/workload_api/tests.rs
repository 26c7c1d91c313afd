//! The Workload API, asked by the test's own process whose selectors the test decides.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bundles;
mod identities;
mod recognition;
mod sharing;
mod tokens;
mod verifiers;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use finial_attest::{AttestError, PeerPidfd, PinnedProcess, WorkloadAttestor, WorkloadAttestors};
use finial_identity::{Audience, Entry, Selector};
use finial_wire::X509Context;
use finial_wire::server::WorkloadApi;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::net::UnixStream;
use tonic::{Code, Extensions, Status};

use super::{StreamLimits, WorkloadOptions, WorkloadPeer, Workloads};
use crate::agent::options::CacheOptions;
use crate::agent::testing::{Agent, FakeServer};

/// An attestor that finds what it was told to find, or fails.
#[derive(Debug)]
struct Told {
    kind: &'static str,
    values: Mutex<Option<BTreeSet<String>>>,
    asked: AtomicUsize,
}

impl Told {
    fn new(kind: &'static str) -> Arc<Self> {
        Arc::new(Self { kind, values: Mutex::new(Some(BTreeSet::new())), asked: AtomicUsize::new(0) })
    }

    fn find(&self, values: &[&str]) {
        *self.values.lock().unwrap() = Some(values.iter().map(|text| (*text).to_owned()).collect());
    }

    fn fail(&self) {
        *self.values.lock().unwrap() = None;
    }
}

#[async_trait]
impl WorkloadAttestor for Told {
    fn kind(&self) -> &str {
        self.kind
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let values = self.values.lock().unwrap();
        let values = values.as_ref().ok_or(AttestError::Restless { pid: process.pid() })?;
        Ok(values.iter().map(|value| Selector::new(self.kind, value).unwrap()).collect())
    }
}

/// An agent with its Workload API, and a caller.
struct Case {
    agent: Agent,
    api: Workloads,
    told: Arc<Told>,
    /// Another attestor, which finds nothing unless it is told to.
    docker: Arc<Told>,
    ctx: Extensions,
    /// The caller's end of the connection.
    _connection: UnixStream,
}

impl Case {
    /// An agent with these entries, and a caller with these selectors of type `test`.
    fn new(entries: impl IntoIterator<Item = Entry>, selectors: &[&str]) -> Self {
        Self::with_server(entries, selectors, |_| {})
    }

    fn with_server(
        entries: impl IntoIterator<Item = Entry>,
        selectors: &[&str],
        prepare: impl FnOnce(&FakeServer),
    ) -> Self {
        Self::with_options(entries, selectors, prepare, WorkloadOptions::default())
    }

    fn with_options(
        entries: impl IntoIterator<Item = Entry>,
        selectors: &[&str],
        prepare: impl FnOnce(&FakeServer),
        options: WorkloadOptions,
    ) -> Self {
        Self::of(Agent::start_with(entries, prepare), selectors, options)
    }

    fn with_limits(
        entries: impl IntoIterator<Item = Entry>,
        selectors: &[&str],
        limit: impl FnOnce(&mut CacheOptions),
    ) -> Self {
        Self::of(Agent::start_limited(entries, |_| {}, limit), selectors, WorkloadOptions::default())
    }

    fn of(agent: Agent, selectors: &[&str], mut options: WorkloadOptions) -> Self {
        let (told, docker) = (Told::new("test"), Told::new("docker"));
        let attestors: [Arc<dyn WorkloadAttestor>; 2] = [Arc::clone(&told) as _, Arc::clone(&docker) as _];
        let attestors = WorkloadAttestors::new(attestors, Duration::from_secs(10), agent.clock.clone());
        options.streams = StreamLimits { per_process: 5, per_user: 5 };
        let api = Workloads::new(agent.cache.clone(), Arc::new(attestors), options, agent.clock.clone());
        let (connection, accepted) = UnixStream::pair().unwrap();
        let process = Arc::new(PinnedProcess::of_peer(&accepted, PeerPidfd::default()).unwrap());
        let mut ctx = Extensions::new();
        ctx.insert(WorkloadPeer::new(process));
        let case = Self { agent, api, told, docker, ctx, _connection: connection };
        case.become_one_with(selectors);
        case
    }

    /// The caller is another program from now on.
    fn become_one_with(&self, selectors: &[&str]) {
        self.told.find(selectors);
    }

    /// The stream of identities, and its first message.
    async fn fetch(&self) -> (Identities, X509Context) {
        let mut stream = self.api.x509_svids(&self.ctx).await.unwrap();
        let first = stream.next().await.unwrap().unwrap();
        (stream, first)
    }

    /// The next message, while time passes to what is due at once.
    async fn next<T>(&self, stream: &mut BoxStream<'static, Result<T, Status>>) -> Result<T, Status> {
        loop {
            if let Some(message) = stream.next().now_or_never() {
                return message.unwrap();
            }
            self.agent.pass(Duration::from_millis(200));
            tokio::task::yield_now().await;
        }
    }
}

type Identities = BoxStream<'static, Result<X509Context, Status>>;

fn names(context: &X509Context) -> Vec<String> {
    context.credentials.iter().map(|held| held.svid().id().path().to_owned()).collect()
}

fn serials(context: &X509Context) -> Vec<String> {
    context.credentials.iter().map(|held| held.svid().serial_number().to_owned()).collect()
}

fn audience(name: &str) -> Audience {
    Audience::new([name]).unwrap()
}

/// The refusal of whatever the call would give.
fn code<T>(answer: Result<T, Status>) -> Code {
    answer.err().map_or(Code::Ok, |status| status.code())
}

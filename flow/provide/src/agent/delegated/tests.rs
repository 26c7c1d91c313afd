//! Delegated identity, asked by the test's own process, for selectors and for a child of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use finial_attest::{AttestError, PeerPidfd, PinnedProcess, WorkloadAttestor, WorkloadAttestors};
use finial_identity::{Audience, Bundle, Entry, Selector, SelectorSet, TrustDomain};
use finial_wire::server::DelegatedIdentityApi;
use finial_wire::{DelegatedIdentities, DelegatedWorkload};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::net::UnixStream;
use tonic::{Code, Extensions, Status};

use super::{DelegatedIdentity, StreamLimits};
use crate::agent::testing::{Agent, draft, entry, entry_id, spiffe_id};
use crate::agent::workload_api::WorkloadPeer;

/// An attestor that finds in each process what it was told to find there.
#[derive(Debug, Default)]
struct Told(Mutex<HashMap<i32, &'static str>>);

#[async_trait]
impl WorkloadAttestor for Told {
    fn kind(&self) -> &str {
        "test"
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        let found = self.0.lock().unwrap().get(&process.pid()).copied();
        Ok(found.map(|value| Selector::new("test", value).unwrap()).into_iter().collect())
    }
}

/// An agent whose only delegate is `/delegate`, which this process is until it is told otherwise.
struct Case {
    agent: Agent,
    api: DelegatedIdentity,
    told: Arc<Told>,
    ctx: Extensions,
    /// The caller's end of the connection.
    _connection: UnixStream,
}

impl Case {
    fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let delegate = entry("delegate", draft("delegate", &["test:delegate"]));
        let agent = Agent::start(entries.into_iter().chain([delegate]));
        let told = Arc::new(Told::default());
        let attestors: [Arc<dyn WorkloadAttestor>; 1] = [Arc::clone(&told) as _];
        let attestors = WorkloadAttestors::new(attestors, Duration::from_secs(10), agent.clock.clone());
        let api = DelegatedIdentity::new(
            agent.cache.clone(),
            Arc::new(attestors),
            [spiffe_id("/delegate")].into_iter().collect(),
            StreamLimits { per_process: 5, per_user: 5 },
            agent.clock.clone(),
        );
        let (connection, accepted) = UnixStream::pair().unwrap();
        let process = Arc::new(PinnedProcess::of_peer(&accepted, PeerPidfd::default()).unwrap());
        let mut ctx = Extensions::new();
        ctx.insert(WorkloadPeer::new(process));
        let case = Self { agent, api, told, ctx, _connection: connection };
        case.find(i32::try_from(std::process::id()).unwrap(), "delegate");
        case
    }

    /// From now on this is found in this process.
    fn find(&self, pid: i32, value: &'static str) {
        self.told.0.lock().unwrap().insert(pid, value);
    }

    fn become_other(&self, value: &'static str) {
        self.find(i32::try_from(std::process::id()).unwrap(), value);
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

    /// The status with which the next message does not come.
    async fn refusal<T>(&self, stream: &mut BoxStream<'static, Result<T, Status>>) -> (Code, String) {
        let status = self.next(stream).await.err().unwrap();
        (status.code(), status.message().to_owned())
    }

    async fn open(&self, workload: DelegatedWorkload) -> Updates {
        self.api.x509_svids(&self.ctx, workload).await.unwrap()
    }
}

type Updates = BoxStream<'static, Result<DelegatedIdentities, Status>>;

/// A workload that the delegate recognized by itself.
fn selected(values: &[&str]) -> DelegatedWorkload {
    let selectors: SelectorSet = values.iter().map(|value| Selector::new("test", value).unwrap()).collect();
    DelegatedWorkload::Selectors(selectors)
}

/// A process that waits to be ended.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn end(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn web() -> Entry {
    entry("web", draft("web", &["test:web"]))
}

fn paths(identities: &DelegatedIdentities) -> Vec<&str> {
    identities.credentials.iter().map(|held| held.svid().id().path()).collect()
}

fn audience() -> Audience {
    Audience::new(["db"]).unwrap()
}

#[tokio::test]
async fn delegate_gets_the_identities_of_what_it_describes() {
    let case = Case::new([web()]);
    let mut stream = case.open(selected(&["web", "more"])).await;
    assert_eq!(paths(&case.next(&mut stream).await.unwrap()), ["/web"]);
}

#[tokio::test]
async fn description_that_matches_nothing_gets_an_empty_list_and_hears_when_it_does() {
    let case = Case::new([]);
    let mut stream = case.open(selected(&["web"])).await;
    assert!(case.next(&mut stream).await.unwrap().credentials.is_empty());
    case.agent.server.put(web());
    let mut seen = case.next(&mut stream).await.unwrap();
    while seen.credentials.is_empty() {
        seen = case.next(&mut stream).await.unwrap();
    }
    assert_eq!(paths(&seen), ["/web"]);
    case.agent.server.delete("web");
    assert!(case.next(&mut stream).await.unwrap().credentials.is_empty());
}

#[tokio::test]
async fn admin_and_downstream_identities_are_withheld() {
    let mut admin = draft("admin", &["test:web"]);
    admin.admin = true;
    let mut downstream = draft("downstream", &["test:web"]);
    downstream.downstream = true;
    let case = Case::new([web(), entry("admin", admin), entry("downstream", downstream)]);
    let mut stream = case.open(selected(&["web"])).await;
    assert_eq!(paths(&case.next(&mut stream).await.unwrap()), ["/web"]);
    let svids = case.api.jwt_svids(&case.ctx, selected(&["web"]), audience()).await.unwrap();
    assert_eq!(svids.len(), 1);
}

#[tokio::test]
async fn process_is_attested_by_the_agent_itself() {
    let case = Case::new([web()]);
    let sleeper = Sleeper::start();
    case.find(sleeper.pid(), "web");
    let mut stream = case.open(DelegatedWorkload::Process(sleeper.pid())).await;
    assert_eq!(paths(&case.next(&mut stream).await.unwrap()), ["/web"]);
    let svids =
        case.api.jwt_svids(&case.ctx, DelegatedWorkload::Process(sleeper.pid()), audience()).await.unwrap();
    assert_eq!(svids[0].id(), &spiffe_id("/web"));
}

#[tokio::test]
async fn rule_6_nothing_more_comes_for_a_process_that_has_ended() {
    let case = Case::new([web()]);
    let mut sleeper = Sleeper::start();
    case.find(sleeper.pid(), "web");
    let mut stream = case.open(DelegatedWorkload::Process(sleeper.pid())).await;
    case.next(&mut stream).await.unwrap();
    sleeper.end();
    let mut changed = draft("web", &["test:web"]);
    changed.dns_names = vec!["web.example.org".to_owned()];
    case.agent.server.put(entry("web", changed));
    let (code, text) = case.refusal(&mut stream).await;
    assert_eq!(code, Code::NotFound);
    assert_eq!(text, format!("process {} has ended", sleeper.pid()));
    let refused = case.api.x509_svids(&case.ctx, DelegatedWorkload::Process(sleeper.pid())).await;
    assert_eq!(refused.err().unwrap().code(), Code::NotFound);
}

#[tokio::test]
async fn process_that_became_another_program_has_its_new_identities() {
    let case = Case::new([web(), entry("db", draft("db", &["test:db"]))]);
    let sleeper = Sleeper::start();
    case.find(sleeper.pid(), "web");
    let mut stream = case.open(DelegatedWorkload::Process(sleeper.pid())).await;
    case.next(&mut stream).await.unwrap();
    case.find(sleeper.pid(), "db");
    let mut changed = draft("web", &["test:web"]);
    changed.dns_names = vec!["web.example.org".to_owned()];
    case.agent.server.put(entry("web", changed));
    assert_eq!(paths(&case.next(&mut stream).await.unwrap()), ["/db"]);
}

#[tokio::test]
async fn whoever_is_no_delegate_is_refused_everything() {
    let case = Case::new([web()]);
    case.agent.catch_up().await;
    for (value, text) in
        [("web", "caller not configured as an authorized delegate"), ("nobody", "no identity issued")]
    {
        case.become_other(value);
        let refusals = [
            case.api.x509_svids(&case.ctx, selected(&["web"])).await.err().unwrap(),
            case.api.x509_bundles(&case.ctx).await.err().unwrap(),
            case.api.jwt_bundles(&case.ctx).await.err().unwrap(),
            case.api.jwt_svids(&case.ctx, selected(&["web"]), audience()).await.err().unwrap(),
        ];
        for refusal in refusals {
            assert_eq!((refusal.code(), refusal.message()), (Code::PermissionDenied, text));
        }
    }
}

#[tokio::test]
async fn delegate_whose_own_entry_goes_loses_its_streams() {
    let case = Case::new([web()]);
    let mut identities = case.open(selected(&["web"])).await;
    let mut bundles = case.api.x509_bundles(&case.ctx).await.unwrap();
    case.next(&mut identities).await.unwrap();
    case.next(&mut bundles).await.unwrap();
    case.agent.server.delete("delegate");
    let denied = (Code::PermissionDenied, "no identity issued".to_owned());
    assert_eq!(case.refusal(&mut identities).await, denied);
    assert_eq!(case.refusal(&mut bundles).await, denied);
}

#[tokio::test]
async fn delegate_that_became_another_program_is_refused_at_the_next_change() {
    let case = Case::new([web()]);
    let mut stream = case.open(selected(&["web"])).await;
    case.next(&mut stream).await.unwrap();
    case.become_other("web");
    let mut changed = draft("web", &["test:web"]);
    changed.dns_names = vec!["web.example.org".to_owned()];
    case.agent.server.put(entry("web", changed));
    assert_eq!(case.refusal(&mut stream).await.0, Code::PermissionDenied);
}

#[tokio::test]
async fn delegate_that_reads_late_is_looked_at_before_it_is_answered() {
    let case = Case::new([]);
    let mut stream = case.open(selected(&["web"])).await;
    case.next(&mut stream).await.unwrap();
    case.become_other("web");
    case.agent.server.put(web());
    // Nothing is read from the stream until there is something to tell.
    case.agent.soon(|snapshot| snapshot.credential(&entry_id("web")).is_some()).await;
    assert_eq!(case.refusal(&mut stream).await.0, Code::PermissionDenied);
}

#[tokio::test]
async fn all_bundles_come_and_each_change_of_them() {
    let mut federating = draft("federating", &["test:other"]);
    let other = TrustDomain::parse("other.org").unwrap();
    federating.federates_with = vec![other.clone()];
    let case = Case::new([entry("federating", federating)]);
    let bundle = case.agent.server.bundle_now();
    case.agent.server.federate(Bundle { trust_domain: other.clone(), ..bundle });
    case.agent.soon(|snapshot| snapshot.federated().contains_key(&other)).await;
    let mut x509 = case.api.x509_bundles(&case.ctx).await.unwrap();
    let mut jwt = case.api.jwt_bundles(&case.ctx).await.unwrap();
    assert_eq!(case.next(&mut x509).await.unwrap().len(), 2);
    assert_eq!(case.next(&mut jwt).await.unwrap().len(), 2);
    case.agent.server.delete("federating");
    assert_eq!(case.next(&mut x509).await.unwrap().len(), 1);
    assert_eq!(case.next(&mut jwt).await.unwrap().len(), 1);
}

#[tokio::test]
async fn token_for_nobody_is_refused() {
    let case = Case::new([]);
    let refusal = case.api.jwt_svids(&case.ctx, selected(&["web"]), audience()).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::PermissionDenied, "no identity issued"));
}

#[tokio::test]
async fn svid_that_is_issued_on_demand_is_demanded() {
    let mut lazy = draft("web", &["test:web"]);
    lazy.x509_svid_prefetch_disabled = true;
    let case = Case::new([entry("web", lazy)]);
    case.agent.catch_up().await;
    let opening = case.open(selected(&["web"]));
    let mut opening = std::pin::pin!(opening);
    let mut stream = loop {
        if let Some(stream) = (&mut opening).now_or_never() {
            break stream;
        }
        case.agent.pass(Duration::from_millis(200));
        tokio::task::yield_now().await;
    };
    assert_eq!(paths(&case.next(&mut stream).await.unwrap()), ["/web"]);
}

#[tokio::test]
async fn streams_of_one_delegate_are_limited() {
    let case = Case::new([web()]);
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(case.api.x509_bundles(&case.ctx).await.unwrap());
    }
    let refusal = case.api.x509_bundles(&case.ctx).await.err().unwrap();
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    open.pop();
    assert!(case.api.x509_bundles(&case.ctx).await.is_ok());
}

//! A server with 100,000 entries: making them, starting with them, holding them, handing them to an agent, and doing nothing.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_identity::{EntryDraft, EntryId, Selector, SpiffeId};
use finial_receive::{Endpoint, connect};
use finial_store::{Entries, SqliteStore};
use finial_testkit::{Pair, Process, finial};
use finial_wire::client::EntryClient;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Channel;

use crate::agent::Agent;
use crate::measure::{RUNS, cpu_us, median, resident_kb, wall_ms};

const ENTRIES: usize = 100_000;
/// How many entries a call makes.
const BATCH: usize = 500;
const CALLS: usize = 4;
/// After so long a program has given back the code that it does not use.
const SETTLED: Duration = Duration::from_secs(65);
/// How long it is watched that has nothing to do.
const IDLE: Duration = Duration::from_secs(20);

pub(crate) async fn bench() {
    let clock = Clock::system();
    let pair = Pair::new();
    let mut server = start(&pair);
    let local = connect(&Endpoint::Unix(pair.path("server.sock").into()));
    let agent = Agent::join(&local, pair.port()).await;
    let before = cpu_us(server.id());
    let (ms, ()) = wall_ms(&clock, create(&local, &agent.id)).await;
    let each = (cpu_us(server.id()) - before) / ENTRIES as f64;
    println!(
        "{ENTRIES} entries by BatchCreateEntry, {CALLS} calls of {BATCH} at a time: {:.0} a second, {each:.1} µs of server CPU each",
        ENTRIES as f64 / ms * 1e3
    );
    let at_once = resident_kb(server.id()) / 1e3;
    clock.sleep(SETTLED).await;
    println!(
        "the server that made them holds {at_once:.1} MB, a minute later {:.1} MB",
        resident_kb(server.id()) / 1e3
    );

    let entries = EntryClient::new(agent.channel.clone());
    let mut runs = vec![];
    let mut known = HashMap::new();
    for _ in 0..RUNS {
        let (ms, synced) = wall_ms(&clock, entries.sync_authorized_entries(&HashMap::new())).await;
        let changed = synced.unwrap().changed;
        assert_eq!(changed.len(), ENTRIES);
        known = changed
            .into_iter()
            .map(|entry| (entry.id.clone(), (entry.revision_number, entry.created_at)))
            .collect();
        runs.push(ms);
    }
    println!(
        "all of them to a fresh agent by SyncAuthorizedEntries, read and checked: {:.0} ms",
        median(&mut runs)
    );
    let (ms, synced) = wall_ms(&clock, entries.sync_authorized_entries(&known)).await;
    assert!(synced.unwrap().changed.is_empty());
    println!("again, when it has them all: {ms:.0} ms");

    let id = rustix::process::Pid::from_raw(server.id().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(server.wait().success(), "{}", server.log());
    let (read, rows) = wall_ms(&clock, read_all(&pair)).await;
    assert!(rows >= ENTRIES);
    let (ms, server) = wall_ms(&clock, async { start(&pair) }).await;
    println!("start with them: {ms:.0} ms (all rows read from SQLite and checked, here: {read:.0} ms)");
    println!("the server that started with them holds {:.1} MB", resident_kb(server.id()) / 1e3);

    idle(&clock, &pair, &server).await;
}

fn start(pair: &Pair) -> Process {
    pair.server_with("ratelimit { attestation = false signing = false }", "NodeAttestor \"join_token\" {}")
}

async fn create(local: &Channel, node: &SpiffeId) {
    let draft = |n: usize| {
        let id = SpiffeId::parse(format!("spiffe://example.org/ns/{}/sa/workload-{n}", n % 500)).unwrap();
        let selectors = [format!("ns:{}", n % 500), format!("sa:workload-{n}")];
        let selectors = selectors.iter().map(|value| Selector::new("k8s", value).unwrap()).collect();
        (None::<EntryId>, EntryDraft::new(id, node.clone(), selectors))
    };
    let batches = (0..ENTRIES).step_by(BATCH).map(|first| {
        let drafts: Vec<_> = (first..first + BATCH).map(draft).collect();
        let entries = EntryClient::new(local.clone());
        async move {
            let created = entries.create_entries(&drafts).await.unwrap();
            assert!(created.iter().all(|created| created.as_ref().is_ok_and(|created| !created.existed)));
        }
    });
    stream::iter(batches).buffer_unordered(CALLS).collect::<()>().await;
}

/// Reads what the server reads when it starts.
async fn read_all(pair: &Pair) -> usize {
    let store = SqliteStore::open(pair.path("server/datastore.sqlite3")).await.unwrap();
    let (mut last, mut count) = (None, 0);
    loop {
        let page = store.scan_entries(last.as_ref(), 1000).await.unwrap();
        let Some(entry) = page.last() else { break };
        last = Some(entry.id.clone());
        count += page.len();
    }
    store.close().await;
    count
}

/// What a server and its agent do when there is nothing to do.
async fn idle(clock: &Clock, pair: &Pair, server: &Process) {
    let tasks = Tasks::new(clock.clone());
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = relay.local_addr().unwrap().port().to_string();
    let bytes = Arc::new(AtomicU64::new(0));
    let (counted, target, sessions) = (Arc::clone(&bytes), pair.port(), tasks.clone());
    tasks.spawn("relay", async move {
        loop {
            let (near, _) = relay.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            sessions.spawn_session("connection", async move {
                let far = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::join!(count(near_in, far_out, &counted), count(far_in, near_out, &counted));
            });
        }
    });
    let (bundle, token) = (pair.bundle(), pair.token());
    let mut command = Command::new(finial());
    command.args(["agent", "run", "-trustDomain", "example.org", "-serverAddress", "127.0.0.1"]);
    command.args(["-serverPort", &port, "-dataDir", &pair.path("agent"), "-joinToken", &token]);
    command.args(["-socketPath", &pair.path("agent.sock"), "-trustBundle", &bundle.to_string_lossy()]);
    let mut agent = Process::spawn("agent", &mut command);
    agent.until("socket", || std::path::Path::new(&pair.path("agent.sock")).exists().then_some(()));
    clock.sleep(SETTLED).await;
    let (server_cpu, agent_cpu, sent) =
        (cpu_us(server.id()), cpu_us(agent.id()), bytes.load(Ordering::Relaxed));
    clock.sleep(IDLE).await;
    let per_second = |us: f64| us / 1e3 / IDLE.as_secs_f64();
    println!(
        "idle for {} s: server {:.2} ms of CPU a second, agent {:.2} ms; {} bytes between them in all",
        IDLE.as_secs(),
        per_second(cpu_us(server.id()) - server_cpu),
        per_second(cpu_us(agent.id()) - agent_cpu),
        bytes.load(Ordering::Relaxed) - sent
    );
    println!(
        "they hold {:.1} MB and {:.1} MB\n",
        resident_kb(server.id()) / 1e3,
        resident_kb(agent.id()) / 1e3
    );
}

/// Forwards bytes to their end, and counts them.
async fn count(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, bytes: &AtomicU64) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        bytes.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

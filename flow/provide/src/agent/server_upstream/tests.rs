//! The push over a real connection: from the server's half of this stage to the agent's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, Tasks};
use finial_identity::{Bundle, TrustDomain};
use finial_store::{DataStore, Index, SqliteStore};
use finial_wire::server::changes_service;
use futures_util::StreamExt;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};

use super::{ServerUpstream, sent};
use crate::agent::upstream::Upstream;
use crate::server::changes::Changes;

struct Case {
    store: Arc<dyn DataStore>,
    index: Index,
    tasks: Tasks,
    clock: Clock,
    folder: tempfile::TempDir,
}

impl Case {
    async fn new() -> Self {
        let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let tasks = Tasks::new(clock.clone());
        let store: Arc<dyn DataStore> = Arc::new(SqliteStore::in_memory().await.unwrap());
        let index = Index::start(Arc::clone(&store), &clock, &tasks).await.unwrap();
        Self { store, index, tasks, clock, folder: tempfile::tempdir().unwrap() }
    }

    /// A server of the changes, and a channel to it.
    fn serve(&self) -> Channel {
        let path = self.folder.path().join("server.sock");
        let listener = UnixListenerStream::new(UnixListener::bind(&path).unwrap());
        let changes =
            Changes::new(self.index.subscribe(), Duration::from_secs(3600), &self.clock, &self.tasks);
        let serving =
            Server::builder().add_service(changes_service(Arc::new(changes))).serve_with_incoming(listener);
        self.tasks.spawn("server", async move { serving.await.unwrap() });
        Endpoint::from_shared(format!("unix:{}", path.display())).unwrap().connect_lazy()
    }

    async fn write(&self) -> u64 {
        let bundle = Bundle::empty(TrustDomain::parse("example.org").unwrap());
        self.store.put_bundle(bundle).await.unwrap().revision
    }
}

#[tokio::test]
async fn change_in_the_store_arrives_at_the_agent() {
    let case = Case::new().await;
    let (_keep, channel) = watch::channel(case.serve());
    let mut revisions = ServerUpstream::new(channel).revisions().await.unwrap();
    let written = case.write().await;
    while revisions.next().await.unwrap().unwrap() < written {}
}

#[tokio::test]
async fn stream_ends_when_the_channel_is_replaced() {
    let case = Case::new().await;
    let channel = case.serve();
    let (replace, channels) = watch::channel(channel.clone());
    let mut revisions = ServerUpstream::new(channels).revisions().await.unwrap();
    replace.send_replace(channel);
    while let Some(revision) = revisions.next().await {
        revision.unwrap();
    }
}

#[tokio::test]
async fn server_that_lacks_a_call_says_so() {
    let case = Case::new().await;
    let (_keep, channel) = watch::channel(case.serve());
    let refused = ServerUpstream::new(channel).bundle().await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[tokio::test]
async fn call_that_a_closing_connection_cancelled_is_made_once_more() {
    let cases = [(Code::Cancelled, 1, Ok(())), (Code::Cancelled, 2, Err(2)), (Code::Unavailable, 1, Err(1))];
    for (code, failures, expected) in cases {
        let calls = AtomicUsize::new(0);
        let call = || async {
            let fails = calls.fetch_add(1, Ordering::Relaxed) < failures;
            if fails { Err(Status::new(code, "closing")) } else { Ok(()) }
        };
        let answer = sent(call).await.map_err(|_| calls.load(Ordering::Relaxed));
        assert_eq!(answer, expected, "{code:?}, {failures} times");
    }
}

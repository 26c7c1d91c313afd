//! Calls over a real connection, to a server that only tells revisions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use finial_daemon::{Clock, Tasks};
use finial_wire::server::{ChangesApi, changes_service};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Extensions, Status};

use super::{ServerUpstream, sent};
use crate::agent::upstream::Upstream;

/// Tells every revision.
struct Told(watch::Receiver<u64>);

#[async_trait]
impl ChangesApi for Told {
    async fn watch(&self, _: &Extensions) -> Result<BoxStream<'static, Result<u64, Status>>, Status> {
        Ok(WatchStream::new(self.0.clone()).map(Ok).boxed())
    }
}

struct Case {
    revision: watch::Sender<u64>,
    tasks: Tasks,
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        Self {
            revision: watch::Sender::new(1),
            tasks: Tasks::new(clock),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A server of the changes, and a channel to it.
    fn serve(&self) -> Channel {
        let path = self.folder.path().join("server.sock");
        let listener = UnixListenerStream::new(UnixListener::bind(&path).unwrap());
        let told = Arc::new(Told(self.revision.subscribe()));
        let serving = Server::builder().add_service(changes_service(told)).serve_with_incoming(listener);
        self.tasks.spawn("server", async move { serving.await.unwrap() });
        Endpoint::from_shared(format!("unix:{}", path.display())).unwrap().connect_lazy()
    }
}

#[tokio::test]
async fn revision_of_the_server_arrives_at_the_agent() {
    let case = Case::new();
    let (_keep, channel) = watch::channel(case.serve());
    let mut revisions = ServerUpstream::new(channel).revisions().await.unwrap();
    assert_eq!(revisions.next().await.unwrap().unwrap(), 1);
    case.revision.send_replace(7);
    assert_eq!(revisions.next().await.unwrap().unwrap(), 7);
}

#[tokio::test]
async fn stream_ends_when_the_channel_is_replaced() {
    let case = Case::new();
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
    let case = Case::new();
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

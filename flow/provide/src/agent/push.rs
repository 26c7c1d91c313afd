//! Follows the server's stream of revisions, and says when there is none to follow.

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Backoff, Clock, Drain};
use futures_util::StreamExt;
use tokio::sync::watch;
use tonic::{Code, Status};

use super::upstream::Upstream;

/// How long a server may take to open the stream.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// The first and the longest wait before the stream is opened again.
const REOPEN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));
/// How long to poll a server that cannot push before asking again: it may have been upgraded.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// What the stream of changes said last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Push {
    /// The newest revision heard of.
    pub(super) revision: Option<u64>,
    /// Whether the stream stands, so that the next change will be heard.
    pub(super) is_open: bool,
}

/// Keeps the stream of changes open until the drain, and passes on what it says.
pub(super) async fn follow(
    upstream: Arc<dyn Upstream>,
    pushes: watch::Sender<Push>,
    clock: Clock,
    drain: Drain,
) {
    let following = async {
        let mut backoff = Backoff::new(REOPEN.0, REOPEN.1);
        loop {
            let end = listen(upstream.as_ref(), &pushes, &clock, &mut backoff).await;
            pushes.send_modify(|push| push.is_open = false);
            let pause = match end {
                Err(status) if status.code() == Code::Unimplemented => {
                    tracing::info!("the server does not push changes; asking for them instead");
                    ASK_AGAIN
                }
                Err(status) => {
                    tracing::debug!(error = %status.message(), "the stream of changes broke");
                    backoff.next()
                }
                Ok(()) => backoff.next(),
            };
            clock.sleep(pause).await;
        }
    };
    tokio::select! {
        () = drain.requested() => {}
        () = following => {}
    }
}

/// One stream, from its opening to its end. Each revision heard proves the server well.
async fn listen(
    upstream: &dyn Upstream,
    pushes: &watch::Sender<Push>,
    clock: &Clock,
    backoff: &mut Backoff,
) -> Result<(), Status> {
    let opened = clock.timeout(OPEN_LIMIT, upstream.revisions()).await;
    let mut revisions = opened.map_err(|elapsed| Status::deadline_exceeded(elapsed.to_string()))??;
    pushes.send_modify(|push| push.is_open = true);
    while let Some(revision) = revisions.next().await {
        let revision = revision?;
        backoff.reset();
        pushes.send_if_modified(|push| push.revision.replace(revision) != Some(revision));
    }
    Ok(())
}

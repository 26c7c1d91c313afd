//! Keeping one stream of the Workload API open: again at once when it ends, later and later when it fails.

use std::time::Duration;

use finial_daemon::{Backoff, Clock};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tonic::{Code, Status};

/// The waits between attempts when the agent cannot be reached (SPIFFE Workload Endpoint §6).
const UNREACHABLE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// The waits between attempts when the agent has no identity for this process: an entry may come any moment.
const DENIED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// How long a stream must have been open for its end to count as a new matter, and not as one more failure.
pub(crate) const STEADY: Duration = Duration::from_secs(1);

/// One streaming RPC and the live value that it keeps current.
#[async_trait::async_trait]
pub(crate) trait Feed: Send + Sync {
    /// What the stream carries.
    type Message: Send;
    /// The name of the RPC, for people.
    const RPC: &'static str;

    /// Opens the stream.
    async fn open(&self) -> Result<BoxStream<'static, Result<Self::Message, Status>>, Status>;
    /// Replaces the live value by a message's, which is always the full set (SPIFFE Workload API §4.3).
    fn take(&mut self, message: Self::Message);
    /// Takes the live value away.
    fn withdraw(&mut self, reason: String);
}

/// Runs until the Workload API says that it will never serve this call.
pub(crate) async fn follow<F: Feed>(mut feed: F, clock: Clock) {
    let mut unreachable = Backoff::new(UNREACHABLE.0, UNREACHABLE.1);
    let mut denied = Backoff::new(DENIED.0, DENIED.1);
    loop {
        let opened = clock.monotonic();
        let End { served, status } = read_stream(&mut feed).await;
        let steady = served && clock.monotonic().saturating_sub(opened) >= STEADY;
        if steady {
            unreachable.reset();
            denied.reset();
        }
        let wait = match status.as_ref().map_or(Code::Ok, Status::code) {
            Code::InvalidArgument | Code::Unimplemented => return give_up(&mut feed, status.as_ref()),
            Code::PermissionDenied => {
                // SPIFFE Workload API §5.2.1: what was received before must not be used any more.
                feed.withdraw(reason(status.as_ref()));
                denied.next()
            }
            // SPIFFE Workload API §4.2: a stream that worked is opened again at once.
            _ if steady => Duration::ZERO,
            _ => unreachable.next(),
        };
        report::<F>(status.as_ref(), wait);
        clock.sleep(wait).await;
    }
}

/// How a stream ended: whether it carried a message first, and the status unless it was closed in good order.
struct End {
    served: bool,
    status: Option<Status>,
}

async fn read_stream<F: Feed>(feed: &mut F) -> End {
    let mut served = false;
    let mut stream = match feed.open().await {
        Ok(stream) => stream,
        Err(status) => return End { served, status: Some(status) },
    };
    let mut unusable = None;
    while let Some(message) = stream.next().await {
        match message {
            Ok(message) => {
                (served, unusable) = (true, None);
                feed.take(message);
            }
            // SPIFFE Workload API §4.5: a malformed message, which comes as this code, is reported and discarded.
            // When it was an end after all, nothing follows it.
            Err(status) if status.code() == Code::Internal => unusable = Some(discard::<F>(status)),
            Err(status) => return End { served, status: Some(status) },
        }
    }
    End { served, status: unusable }
}

fn discard<F: Feed>(status: Status) -> Status {
    let reason = reason(Some(&status));
    tracing::warn!(rpc = F::RPC, reason, "discarded what the workload api sent; what came before goes on");
    status
}

/// SPIFFE Workload Endpoint §6: neither code is retried. What was received before is taken away as well, since
/// nobody would tell when an authority in it is no longer to be trusted.
fn give_up<F: Feed>(feed: &mut F, status: Option<&Status>) {
    let reason = reason(status);
    tracing::error!(rpc = F::RPC, reason, "the workload api does not serve this call; it is not tried again");
    feed.withdraw(reason);
}

fn report<F: Feed>(status: Option<&Status>, wait: Duration) {
    let (reason, wait_ms) = (reason(status), wait.as_millis());
    if wait.is_zero() {
        tracing::debug!(rpc = F::RPC, reason, "stream of the workload api ended; opening it again");
    } else {
        tracing::warn!(rpc = F::RPC, reason, wait_ms, "stream of the workload api failed; trying again");
    }
}

fn reason(status: Option<&Status>) -> String {
    match status {
        None => "the stream was closed".to_owned(),
        Some(status) if status.message().is_empty() => status.code().description().to_owned(),
        Some(status) => status.message().to_owned(),
    }
}

//! A command that is run to its end, with the end of what it prints.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use finial_daemon::{Clock, Drain, go};
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::child::{Child, Children, Group};
use crate::config::CommandLine;

/// How much is kept of what it prints, in bytes.
const KEPT: usize = 2048;
/// How long it may take to end when it is asked to, or when the helper ends.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How long its output is read after its end: who was left behind may hold it open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Why a command did not come to a good end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("it cannot be run")]
    Start(#[source] io::Error),
    #[error("it has failed by {status}")]
    Failed { status: ExitStatus, output: String },
    #[error("it did not end within {}", go::format_duration(*limit))]
    Late { limit: Duration, output: String },
    #[error("it did not end before the helper did")]
    Stopped { output: String },
    #[error("it cannot be waited for")]
    Wait(#[source] io::Error),
}

/// Why a run was broken off.
enum Cut {
    Late,
    Stopped,
}

/// Runs it without input, in a group of its own, so that all that it starts ends with it when it takes longer than
/// `limit`. When the helper ends, it gets its [`GRACE`] and then ends too.
pub(super) async fn to_its_end(
    line: &CommandLine,
    limit: Duration,
    children: &Children,
    clock: &Clock,
    drain: &Drain,
) -> Result<(), RunError> {
    let mut command = Command::new(&line.program);
    command.args(&line.arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = children.start(&mut command, Group::Own).map_err(RunError::Start)?;
    let (tail, (stdout, stderr)) = (Tail::default(), child.take_output());
    let mut reading = pin!(async { tokio::join!(tail.follow(stdout), tail.follow(stderr)) });
    let mut attended = pin!(attend(&mut child, limit, clock, drain));
    let mut is_read = false;
    let ended = loop {
        tokio::select! {
            ended = &mut attended => break ended,
            // Whoever closes its output may run on.
            _ = &mut reading, if !is_read => is_read = true,
        }
    };
    if !is_read {
        let _ = clock.timeout(LAST_WORDS, reading).await;
    }
    let output = tail.text();
    match ended {
        (Ok(status), None) if status.success() => Ok(()),
        (Ok(status), None) => Err(RunError::Failed { status, output }),
        (_, Some(Cut::Late)) => Err(RunError::Late { limit, output }),
        (_, Some(Cut::Stopped)) => Err(RunError::Stopped { output }),
        (Err(error), None) => Err(RunError::Wait(error)),
    }
}

/// Waits for its end, and brings it about if need be.
async fn attend(
    child: &mut Child,
    limit: Duration,
    clock: &Clock,
    drain: &Drain,
) -> (io::Result<ExitStatus>, Option<Cut>) {
    let stopped = async {
        drain.requested().await;
        clock.sleep(GRACE).await;
    };
    let cut = tokio::select! {
        biased;
        status = child.wait() => return (status, None),
        () = clock.sleep(limit) => Cut::Late,
        () = stopped => Cut::Stopped,
    };
    if matches!(cut, Cut::Late) {
        child.signal_all(Signal::TERM);
        if let Ok(status) = clock.timeout(GRACE, child.wait()).await {
            return (status, Some(cut));
        }
    }
    child.signal_all(Signal::KILL);
    (child.wait().await, Some(cut))
}

/// The last bytes of what was printed, in the order in which they came.
#[derive(Default)]
struct Tail(Mutex<VecDeque<u8>>);

impl Tail {
    /// Reads to the end: a pipe that nobody reads would stop the command.
    async fn follow(&self, output: Option<impl AsyncRead + Unpin>) {
        let Some(mut output) = output else { return };
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = output.read(&mut buffer).await {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(&buffer[..count]);
            let excess = kept.len().saturating_sub(KEPT);
            kept.drain(..excess);
        }
    }

    fn text(&self) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(kept.make_contiguous()).trim().to_owned()
    }
}

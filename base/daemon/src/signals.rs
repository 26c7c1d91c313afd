//! The operating system's requests: to end, and to read files again.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGINT and SIGTERM from now on, which end the process otherwise; resolves at the first, with its name.
///
/// Call it before others can know that the program runs, and wait later: who is told to end at that moment ends in order.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn terminated() -> io::Result<impl Future<Output = &'static str> + Send> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}

/// The requests to read files again that come from now on: SIGHUP and SIGUSR1, which end the process otherwise.
#[derive(Debug)]
pub struct ReloadRequests {
    hang_up: Signal,
    user: Signal,
}

impl ReloadRequests {
    /// Begins to listen for them.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn new() -> io::Result<Self> {
        Ok(Self { hang_up: signal(SignalKind::hangup())?, user: signal(SignalKind::user_defined1())? })
    }

    /// Resolves at the next one, with the signal's name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.hang_up.recv() => "SIGHUP",
            _ = self.user.recv() => "SIGUSR1",
        }
    }
}

//! The operating system's requests: to end, and to read files again.

#[cfg(test)]
mod tests;

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves at the first SIGINT or SIGTERM, with the signal's name.
///
/// # Errors
/// When the handlers cannot be installed.
pub async fn terminated() -> io::Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => Ok("SIGINT"),
        _ = terminate.recv() => Ok("SIGTERM"),
    }
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

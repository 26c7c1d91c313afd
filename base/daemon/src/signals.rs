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

/// The requests to a program that serves and has a log file, from now on: SIGUSR1 and SIGUSR2, which end the process
/// otherwise.
#[derive(Debug)]
pub struct UserRequests {
    first: Signal,
    second: Signal,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRequest {
    /// SIGUSR1: to read the settings of plugins again.
    Reload,
    /// SIGUSR2: to open the log file anew.
    ReopenLog,
}

impl UserRequests {
    /// Begins to listen for them.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn new() -> io::Result<Self> {
        Ok(Self { first: signal(SignalKind::user_defined1())?, second: signal(SignalKind::user_defined2())? })
    }

    /// Resolves at the next one.
    pub async fn next(&mut self) -> UserRequest {
        tokio::select! {
            _ = self.first.recv() => UserRequest::Reload,
            _ = self.second.recv() => UserRequest::ReopenLog,
        }
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

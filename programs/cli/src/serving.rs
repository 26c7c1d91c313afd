//! What `server run` and `agent run` have in common: the signals beside those that end them, and the last line of the log.

use std::convert::Infallible;

use anyhow::{Context, Result};
use finial_daemon::log;
use finial_daemon::signals::{UserRequest, UserRequests};

use crate::output;

/// Runs a program that logs, from before it is ready to its end. `who` is what SPIRE calls it: Server or Agent.
pub(crate) async fn run(who: &str, program: impl Future<Output = Result<()>>) -> Result<()> {
    let requests = UserRequests::new().context("listen for signals")?;
    let outcome = tokio::select! {
        outcome = program => outcome,
        never = answer(requests) => match never {},
    };
    match &outcome {
        Ok(()) => tracing::info!("{who} stopped gracefully"),
        Err(error) => tracing::error!(error = output::causes(error), "{who} crashed"),
    }
    outcome
}

async fn answer(mut requests: UserRequests) -> Infallible {
    loop {
        match requests.next().await {
            UserRequest::ReopenLog => reopen_log(),
            UserRequest::Reload => {
                tracing::warn!(
                    "received SIGUSR1: the settings of plugins are read at the start only, restart to read them"
                );
            }
        }
    }
}

fn reopen_log() {
    match log::reopen() {
        Ok(true) => tracing::info!("received SIGUSR2, the log file was opened anew"),
        Ok(false) => tracing::info!("received SIGUSR2, and there is no log file to open anew"),
        Err(error) => {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::error!(error, "the log file cannot be opened anew, going on in the one that is open");
        }
    }
}

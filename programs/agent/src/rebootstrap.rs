//! Finding back to servers whose authorities were all replaced while the agent was away.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Backoff, Clock};
use finial_identity::Bundle;
use tokio::sync::watch;

use crate::Config;
use crate::bootstrap::Bootstrap;
use crate::channel::Dialer;
use crate::config::RebootstrapMode;

const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// Watches for the servers to become strangers, and looks then for a newer bundle where the first one came from.
#[derive(Debug)]
pub(crate) struct Rebootstrap {
    bootstrap: Bootstrap,
    mode: RebootstrapMode,
    delay: Duration,
    estranged: watch::Receiver<Option<SystemTime>>,
    not_before: SystemTime,
    backoff: Backoff,
    clock: Clock,
}

impl Rebootstrap {
    /// # Errors
    /// When the system trusts nobody on the web, where the bundle is.
    pub(crate) fn new(config: &Config, dialer: &Dialer, clock: &Clock) -> anyhow::Result<Self> {
        Ok(Self {
            bootstrap: Bootstrap::new(config, clock)?,
            mode: config.rebootstrap_mode,
            delay: config.rebootstrap_delay,
            estranged: dialer.estranged(),
            not_before: SystemTime::UNIX_EPOCH,
            backoff: Backoff::new(FIRST_RETRY, LONGEST_RETRY),
            clock: clock.clone(),
        })
    }

    /// Since when no server can be verified, if nothing will be done about it.
    pub(crate) fn hopeless_since(&self) -> Option<SystemTime> {
        self.estranged.borrow().filter(|_| self.mode == RebootstrapMode::Never)
    }

    /// Resolves when the servers have been strangers for long enough. Safe to drop and to ask for again.
    pub(crate) async fn due(&mut self) {
        loop {
            let since = *self.estranged.borrow_and_update();
            let waited = async {
                match since {
                    Some(since) => self.clock.sleep_until((since + self.delay).max(self.not_before)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = waited => return,
                Ok(()) = self.estranged.changed() => {}
            }
        }
    }

    /// A bundle with other authorities than `current` to which a server leads, if there is one; if not, it will be due
    /// again later.
    pub(crate) async fn look(&mut self, current: &Bundle, dialer: &Dialer) -> Option<Arc<Bundle>> {
        let pause = self.backoff.next();
        self.not_before = self.clock.now() + pause;
        if self.mode == RebootstrapMode::Never {
            tracing::warn!(
                "no server can be verified: its authorities were replaced while this agent was away, or somebody else \
                 answers in its place; rebootstrap_mode = \"auto\" lets the agent fetch the bundle again"
            );
            self.not_before = self.clock.now() + LONGEST_RETRY;
            return None;
        }
        match self.bootstrap.ask_again(current, dialer).await {
            Ok(Some(bundle)) => {
                self.backoff.reset();
                Some(bundle)
            }
            Ok(None) => {
                tracing::warn!(
                    retry_in_s = pause.as_secs_f32(),
                    "no server can be verified, and not with the trust bundle that is published either; looking again"
                );
                None
            }
            Err(error) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(
                    error,
                    retry_in_s = pause.as_secs_f32(),
                    "no server can be verified, and the trust bundle cannot be fetched; trying again"
                );
                None
            }
        }
    }
}

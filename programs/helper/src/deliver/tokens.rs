//! Keeping one JWT-SVID fresh: asked for again in the middle of its life, and again and again while that fails.

use std::error::Error;
use std::time::{Duration, SystemTime};

use finial_daemon::{Backoff, Clock};
use finial_identity::JwtSvid;
use finial_receive::JwtSource;
use tokio::sync::mpsc;

use super::DeliverError;
use crate::vitals::OutputVitals;
use crate::{JwtOutput, Whose, render};

/// The waits between attempts.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Fetches the tokens of one output, and hands each on.
pub(super) struct Tokens {
    /// The place of the output among those of its kind.
    pub(super) index: usize,
    pub(super) output: JwtOutput,
    pub(super) source: JwtSource,
    pub(super) vitals: OutputVitals,
    pub(super) clock: Clock,
    pub(super) fetched: mpsc::Sender<(usize, JwtSvid)>,
}

impl Tokens {
    /// Runs until nobody takes tokens any more.
    pub(super) async fn keep(self) {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        loop {
            match self.fetch().await {
                Ok(svid) => {
                    backoff.reset();
                    let expires = svid.expires_at();
                    if self.fetched.send((self.index, svid)).await.is_err() {
                        return;
                    }
                    self.wait_for_half(expires).await;
                }
                Err(error) => {
                    let wait = backoff.next();
                    self.tell(&error, wait);
                    self.clock.sleep(wait).await;
                }
            }
        }
    }

    fn tell(&self, error: &DeliverError, wait: Duration) {
        self.vitals.failed();
        let (error, file): (&(dyn Error + 'static), _) = (error, self.output.token.name.as_str());
        let wait_ms = wait.as_millis();
        tracing::warn!(error, file, wait_ms, "no JWT-SVID; the one before stays, trying again");
    }

    async fn fetch(&self) -> Result<JwtSvid, DeliverError> {
        // Nothing is verified without bundles, and nothing is written that was not verified.
        self.source.ready().await.map_err(DeliverError::NotLive)?;
        let audience = &self.output.audience;
        let svid = match &self.output.whose {
            Whose::Default => self.source.fetch_jwt_svid(audience, None).await?,
            Whose::Id(id) => self.source.fetch_jwt_svid(audience, Some(id)).await?,
            Whose::Hint(hint) => render::hinted(hint, self.source.fetch_jwt_svids(audience).await?)?,
        };
        for audience in audience.iter() {
            self.source.verify(audience, svid.token())?;
        }
        Ok(svid)
    }

    /// By the clock on the wall or by the time that passes, whichever comes first: a step of the clock back must not
    /// keep a token for longer than it is good.
    async fn wait_for_half(&self, expires: SystemTime) {
        let now = self.clock.now();
        let half = expires.duration_since(now).unwrap_or_default() / 2 + Duration::from_secs(1);
        tokio::select! {
            () = self.clock.sleep_until(now + half) => {}
            () = self.clock.sleep(half) => {}
        }
    }
}

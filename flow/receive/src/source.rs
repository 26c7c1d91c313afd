//! The live identity of a process, as the stages after this one use it.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use finial_daemon::Clock;
use finial_identity::{BundleSet, X509Credential};

use crate::{Live, LiveWriter, NotLive, ReceiveError, X509Context};

/// The current credentials and bundles of a process. Clones share them.
///
/// Fails closed: before the first generation, after a withdrawal, and once the default credential has expired,
/// nothing is served.
#[derive(Clone, Debug)]
pub struct Source {
    live: Live<X509Context>,
    clock: Clock,
    refused: Arc<AtomicU64>,
}

impl Source {
    /// A source that the caller feeds: for programs that issue to themselves, and for tests.
    pub fn channel(clock: &Clock) -> (SourceWriter, Source) {
        let (writer, live) = Live::channel();
        let refused = Arc::default();
        let writer = SourceWriter { live: writer, clock: clock.clone(), refused: Arc::clone(&refused) };
        (writer, Source { live, clock: clock.clone(), refused })
    }

    /// The current generation.
    ///
    /// # Errors
    /// When there is none; [`NotLive::Expired`] once the NotAfter of the default credential has passed.
    pub fn context(&self) -> Result<Arc<X509Context>, NotLive> {
        let context = self.live.current()?;
        if let Some(credential) = context.credential() {
            let (id, at) = (credential.svid().id(), credential.svid().not_after());
            if self.clock.now() >= at {
                return Err(NotLive::Expired { id: id.clone(), at });
            }
        }
        Ok(context)
    }

    /// The default credential of the current generation.
    ///
    /// # Errors
    /// As [`context`](Self::context); [`NotLive::Anonymous`] when only bundles are held.
    pub fn credential(&self) -> Result<Arc<X509Credential>, NotLive> {
        self.context()?.credential().cloned().ok_or(NotLive::Anonymous)
    }

    /// The bundles of the current generation.
    ///
    /// # Errors
    /// As [`context`](Self::context).
    pub fn bundles(&self) -> Result<BundleSet, NotLive> {
        Ok(self.context()?.bundles().clone())
    }

    /// Resolves with the first generation that can be served.
    ///
    /// # Errors
    /// When the source has stopped and left none: the reason it gave, else [`NotLive::Ended`].
    pub async fn ready(&self) -> Result<Arc<X509Context>, NotLive> {
        let mut source = self.clone();
        loop {
            source.live.ready().await?;
            match source.context() {
                Ok(context) => return Ok(context),
                Err(_) => source.live.changed().await?,
            }
        }
    }

    /// Resolves when what [`context`](Self::context) answers has changed: a new generation, a withdrawal, or the
    /// expiry of the default credential.
    ///
    /// # Errors
    /// [`NotLive::Ended`] when it never will again.
    pub async fn updated(&mut self) -> Result<(), NotLive> {
        let Some(at) = self.context().ok().and_then(|context| not_after(&context)) else {
            return self.live.changed().await;
        };
        tokio::select! {
            Ok(()) = self.live.changed() => {}
            () = self.clock.sleep_until(at) => {}
        }
        Ok(())
    }

    /// How many sets were refused because their parts did not belong together.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The clock by which credentials expire.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// The writing half of [`Source::channel`].
#[derive(Debug)]
pub struct SourceWriter {
    live: LiveWriter<X509Context>,
    clock: Clock,
    refused: Arc<AtomicU64>,
}

impl SourceWriter {
    /// Proves that the set belongs together and publishes it as the next generation.
    ///
    /// # Errors
    /// As [`X509Context::new`]; the refusal is counted, and the generation before goes on.
    pub fn publish(&self, credentials: Vec<X509Credential>, bundles: BundleSet) -> Result<(), ReceiveError> {
        let context = self.prove(credentials, bundles).inspect_err(|_| self.count_refusal())?;
        self.live.publish(context);
        Ok(())
    }

    /// Publishes bundles alone, for a caller that has no identity yet.
    pub fn publish_anonymous(&self, bundles: BundleSet) {
        self.live.publish(X509Context::anonymous(bundles));
    }

    /// Takes the identity away; `reason` is shown to people.
    pub fn withdraw(&self, reason: impl Into<Arc<str>>) {
        self.live.withdraw(reason);
    }

    /// Proves that the set belongs together by the clock of the source, and does not publish it.
    pub(crate) fn prove(
        &self,
        credentials: Vec<X509Credential>,
        bundles: BundleSet,
    ) -> Result<X509Context, ReceiveError> {
        X509Context::new(credentials, bundles, self.clock.now())
    }

    pub(crate) fn publish_proven(&self, context: X509Context) {
        self.live.publish(context);
    }

    pub(crate) fn count_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Resolves when the last clone of the source has gone.
    pub fn abandoned(&self) -> impl Future<Output = ()> + Send + use<> {
        self.live.abandoned()
    }
}

fn not_after(context: &X509Context) -> Option<SystemTime> {
    context.credential().map(|credential| credential.svid().not_after())
}

//! The identity of a program outside of SPIFFE: a certificate of any PKI with its key, and the roots that its peers
//! are verified by, from PEM files.

mod identity;
mod load;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

pub use identity::{WebCredential, WebIdentity};

use crate::{Live, LiveWriter, NotLive, ReceiveError};

/// Where the parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebFiles {
    /// What this program presents; `None` presents nothing.
    pub own: Option<WebPair>,
    /// What its peers are verified by.
    pub roots: WebRoots,
}

/// A certificate and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebPair {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key of the leaf, unencrypted PKCS#8, PKCS#1 or SEC1. May be the same file as `certificate`.
    pub key: PathBuf,
}

/// Whom peers' certificates must lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebRoots {
    /// To nobody, since no certificate is asked for: one that comes is refused.
    None,
    /// To what the operating system trusts. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace it, as for OpenSSL and Go.
    System,
    /// To the authorities in this PEM file.
    File(PathBuf),
}

/// The current certificate, key and roots. Clones share them. Never a SPIFFE identity: see [`Source`](crate::Source).
#[derive(Clone, Debug)]
pub struct WebSource {
    live: Live<WebIdentity>,
    clock: Clock,
    refused: Arc<AtomicU64>,
    reading: Arc<AtomicBool>,
    asked: Option<mpsc::Sender<()>>,
}

/// The writing half of [`WebSource::channel`].
#[derive(Debug)]
pub struct WebSourceWriter {
    live: LiveWriter<WebIdentity>,
    refused: Arc<AtomicU64>,
}

impl WebSource {
    /// A source that the caller feeds, with a first generation.
    pub fn channel(first: WebIdentity, clock: &Clock) -> (WebSourceWriter, WebSource) {
        let (writer, live) = Live::channel();
        let refused = Arc::default();
        let writer = WebSourceWriter { live: writer, refused: Arc::clone(&refused) };
        writer.publish(first);
        (writer, WebSource { live, clock: clock.clone(), refused, reading: Arc::default(), asked: None })
    }

    /// Reads `files`, and reads them again when [`reload`](Self::reload) asks and, if `every` is given, at that
    /// interval. A generation that does not belong together, or cannot be read, is refused, counted and logged, and
    /// the one before goes on. Ends with `tasks`, or with the last clone of the source.
    ///
    /// # Errors
    /// [`ReceiveError::File`] with the file at fault, [`ReceiveError::NoSystemRoots`].
    pub async fn from_files(
        files: WebFiles,
        every: Option<Duration>,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Result<WebSource, ReceiveError> {
        let (writer, mut source) = Self::channel(load::load(&files, clock).await?, clock);
        let (asked, asks) = mpsc::channel(1);
        source.asked = Some(asked);
        let reading = Arc::clone(&source.reading);
        let reader = Reader { files, writer, asks, every, reading, clock: clock.clone() };
        let drain = tasks.drain();
        tasks.spawn("certificate files", async move {
            tokio::select! {
                () = reader.run() => {}
                () = drain.requested() => {}
            }
        });
        Ok(source)
    }

    /// Asks for the files to be read again, soon. A request that comes before the last was heeded adds nothing.
    pub fn reload(&self) {
        if let Some(asked) = &self.asked {
            self.reading.store(true, Ordering::Relaxed);
            if let Err(TrySendError::Closed(())) = asked.try_send(()) {
                self.reading.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Whether the files are being read again, or are about to be.
    pub fn is_reading(&self) -> bool {
        self.reading.load(Ordering::Relaxed)
    }

    /// The current generation.
    ///
    /// # Errors
    /// [`NotLive`]; a source that was fed once always has one.
    pub fn identity(&self) -> Result<Arc<WebIdentity>, NotLive> {
        self.live.current()
    }

    /// Resolves with the next generation.
    ///
    /// # Errors
    /// [`NotLive::Ended`] when there will be none.
    pub async fn updated(&mut self) -> Result<(), NotLive> {
        self.live.changed().await
    }

    /// How many generations were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The clock by which certificates expire.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

impl WebSourceWriter {
    /// Replaces the generation.
    pub fn publish(&self, identity: WebIdentity) {
        self.live.publish(identity);
    }
}

/// Reads the files when it is time.
struct Reader {
    files: WebFiles,
    writer: WebSourceWriter,
    asks: mpsc::Receiver<()>,
    every: Option<Duration>,
    reading: Arc<AtomicBool>,
    clock: Clock,
}

impl Reader {
    /// Until the last clone of the source has gone.
    async fn run(mut self) {
        while self.due().await.is_some() {
            self.reading.store(true, Ordering::Relaxed);
            self.read_again().await;
            self.reading.store(false, Ordering::Relaxed);
        }
    }

    async fn due(&mut self) -> Option<()> {
        match self.every {
            None => self.asks.recv().await,
            Some(every) => tokio::select! {
                asked = self.asks.recv() => asked,
                () = self.clock.sleep(every) => Some(()),
            },
        }
    }

    /// The texts are ghostunnel's, which people's scripts look for.
    async fn read_again(&self) {
        match load::load(&self.files, &self.clock).await {
            Ok(identity) => {
                if let Some(credential) = identity.credential() {
                    tracing::info!("loaded certificate: {}", credential.chain().subject().escape_debug());
                }
                self.writer.publish(identity);
                tracing::info!("reloading configuration complete");
            }
            Err(error) => {
                self.writer.refused.fetch_add(1, Ordering::Relaxed);
                let cause = error.source();
                tracing::warn!(
                    cause,
                    "error reloading TLS configuration: {error}; the certificate, key and roots before it go on"
                );
            }
        }
    }
}

//! The identity of a program outside of SPIFFE: a certificate of any PKI with its key, and the roots that its peers
//! are verified by, from PEM files.

mod identity;
mod load;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

pub use identity::{WebCredential, WebIdentity};

use crate::refusals::Refusals;
use crate::watched::{LOOK, Watched};
use crate::{Live, LiveWriter, NotLive, ReceiveError};

/// Where the parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebFiles {
    /// What this program presents; `None` presents nothing.
    pub own: Option<WebPair>,
    /// What its peers are verified by.
    pub roots: WebRoots,
}

/// A certificate and its key: both PEM, or both in one PKCS#12 keystore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebPair {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key of the leaf, unencrypted PKCS#8, PKCS#1 or SEC1. May be the same file as `certificate`, and is in
    /// PKCS#12.
    pub key: PathBuf,
    /// What opens a PKCS#12 keystore. Without effect on PEM.
    pub password: Option<Password>,
}

/// A secret, which is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Keeps a text, and erases it in the end.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
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
    reading: watch::Sender<bool>,
    asked: Option<mpsc::Sender<()>>,
}

/// The writing half of [`WebSource::channel`].
#[derive(Debug)]
pub struct WebSourceWriter {
    live: LiveWriter<WebIdentity>,
}

impl WebSource {
    /// A source that the caller feeds, with a first generation.
    pub fn channel(first: WebIdentity, clock: &Clock) -> (WebSourceWriter, WebSource) {
        let (writer, live) = Live::channel();
        let writer = WebSourceWriter { live: writer };
        writer.publish(first);
        let (clock, refused, reading) = (clock.clone(), Arc::default(), watch::Sender::new(false));
        (writer, WebSource { live, clock, refused, reading, asked: None })
    }

    /// Reads `files`, and reads them again when [`reload`](Self::reload) asks and, if `every` is given, at that
    /// interval. The file of the roots alone is also read two seconds after it changed, since trust that leaves it must
    /// end; a pair is exchanged only when somebody says that it is complete. A generation that does not belong together,
    /// or cannot be read, is refused, counted and logged, and the one before goes on. Ends with `tasks`, or with the
    /// last clone of the source.
    ///
    /// # Errors
    /// [`ReceiveError::File`] with the file at fault, [`ReceiveError::NoSystemRoots`].
    pub async fn from_files(
        files: WebFiles,
        every: Option<Duration>,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Result<WebSource, ReceiveError> {
        let watched = match &files.roots {
            WebRoots::File(path) => Watched::new(vec![path.clone()]).await,
            WebRoots::None | WebRoots::System => Watched::new(Vec::new()).await,
        };
        let (writer, mut source) = Self::channel(load::load(&files, clock).await?, clock);
        let (asked, asks) = mpsc::channel(1);
        source.asked = Some(asked);
        let reader = Reader {
            files,
            watched,
            writer,
            live: source.live.clone(),
            refusals: Refusals::counted_by(&source.refused),
            asks,
            every,
            reading: source.reading.clone(),
            clock: clock.clone(),
        };
        let (drain, reading) = (tasks.drain(), source.reading.clone());
        tasks.spawn("certificate files", async move {
            tokio::select! {
                () = reader.run() => {}
                () = drain.requested() => {}
            }
            // What was asked for and not begun never will be.
            reading.send_replace(false);
        });
        Ok(source)
    }

    /// Asks for the files to be read again, soon. A request that comes before the last was heeded adds nothing.
    pub fn reload(&self) {
        if let Some(asked) = &self.asked {
            self.reading.send_replace(true);
            if let Err(TrySendError::Closed(())) = asked.try_send(()) {
                self.reading.send_replace(false);
            }
        }
    }

    /// Whether the files are being read again, or are about to be.
    pub fn is_reading(&self) -> bool {
        *self.reading.borrow()
    }

    /// Resolves when the files are not being read any more, whatever came of it.
    pub async fn settled(&self) {
        // The sender lives in `self`, so that this cannot fail.
        let _ = self.reading.subscribe().wait_for(|is_reading| !is_reading).await;
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
    watched: Watched,
    writer: WebSourceWriter,
    live: Live<WebIdentity>,
    refusals: Refusals,
    asks: mpsc::Receiver<()>,
    every: Option<Duration>,
    reading: watch::Sender<bool>,
    clock: Clock,
}

/// What is to be read.
enum Due {
    Everything,
    Roots,
}

impl Reader {
    /// Until the last clone of the source has gone.
    async fn run(mut self) {
        let mut read_at = self.clock.monotonic();
        loop {
            let pause = self.pause(read_at);
            let due = tokio::select! {
                asked = self.asks.recv() => match asked {
                    Some(()) => {
                        self.refusals.forget();
                        Some(Due::Everything)
                    }
                    None => return,
                },
                () = self.clock.sleep(pause) => self.look(read_at).await,
            };
            let Some(due) = due else { continue };
            self.reading.send_replace(true);
            match due {
                Due::Everything => {
                    read_at = self.clock.monotonic();
                    self.read_again().await;
                }
                Due::Roots => self.read_roots().await,
            }
            self.reading.send_replace(false);
        }
    }

    fn pause(&self, read_at: Duration) -> Duration {
        let left = |every: Duration| (read_at + every).saturating_sub(self.clock.monotonic());
        self.every.map_or(LOOK, |every| left(every).min(LOOK))
    }

    async fn look(&mut self, read_at: Duration) -> Option<Due> {
        let since = self.clock.monotonic().saturating_sub(read_at);
        if self.every.is_some_and(|every| since >= every) {
            return Some(Due::Everything);
        }
        self.watched.changed().await.then_some(Due::Roots)
    }

    /// The texts are ghostunnel's, which people's scripts look for.
    async fn read_again(&mut self) {
        match load::load(&self.files, &self.clock).await {
            Ok(identity) => {
                self.refusals.forget();
                if let Some(credential) = identity.credential() {
                    tracing::info!("loaded certificate: {}", credential.chain().subject().escape_debug());
                }
                self.writer.publish(identity);
                tracing::info!("reloading configuration complete");
            }
            Err(error) => self.refuse(&error),
        }
    }

    async fn read_roots(&mut self) {
        match load::load_roots(&self.files.roots).await {
            Ok(roots) => {
                self.refusals.forget();
                let Ok(identity) = self.live.current() else { return };
                if identity.roots() != roots {
                    self.writer.publish(identity.with_roots(roots, self.clock.now()));
                    tracing::info!("the file of the roots has changed, and is read again");
                }
            }
            Err(error) => self.refuse(&error),
        }
    }

    fn refuse(&mut self, error: &ReceiveError) {
        if self.refusals.is_news(error) {
            let cause = error.source();
            tracing::warn!(
                cause,
                "error reloading TLS configuration: {error}; the certificate, key and roots before it go on"
            );
        }
    }
}

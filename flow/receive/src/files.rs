//! The source that PEM files feed: certificate, key and roots, read as one generation.

pub(crate) mod load;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use load::{Contents, Loaded};
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::{ReceiveError, Source, SourceWriter};

/// How often the files are read, whether or not the folder reported a change: watches get lost.
const POLL: Duration = Duration::from_secs(2);
/// How long files may disagree before anybody is told: writing three of them takes a moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the parts of an identity are, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key of the leaf, PKCS#8 and unencrypted. May be the same file as `certificate`.
    pub key: PathBuf,
    /// The X.509 authorities of the leaf's trust domain.
    pub bundle: PathBuf,
}

impl Source {
    /// The identity in `files`, read again every two seconds and when their folders change (Kubernetes' `..data`
    /// link included).
    ///
    /// Returns at once; wait for [`ready`](Source::ready). Files that do not belong together are refused, counted
    /// and logged with the file at fault, and the generation before goes on; a difference that lasts less than
    /// five seconds is a rotation being written, and passes in silence. Ends with `tasks`, or with the last clone
    /// of the source.
    pub fn from_files(files: IdentityFiles, clock: &Clock, tasks: &Tasks) -> Source {
        let (writer, source) = Source::channel(clock);
        let (abandoned, drain) = (writer.abandoned(), tasks.drain());
        let reader = Reader { files, writer, clock: clock.clone(), published: None, fault: None };
        tasks.spawn("identity files", async move {
            tokio::select! {
                () = reader.run() => {}
                () = drain.requested() => {}
                () = abandoned => {}
            }
        });
        source
    }
}

/// Reads the files again and again, and remembers what it last published and last found wrong.
struct Reader {
    files: IdentityFiles,
    writer: SourceWriter,
    clock: Clock,
    published: Option<Contents>,
    fault: Option<Fault>,
}

/// A difference between the files that has not been mended.
struct Fault {
    /// When it began, on the clock's monotonic scale.
    since: Duration,
    /// What was said about it last.
    reported: Option<String>,
}

impl Reader {
    async fn run(mut self) {
        let (changed, mut changes) = mpsc::channel(1);
        let _watcher = watch_folders(&self.files, changed);
        loop {
            self.look().await;
            tokio::select! {
                () = self.clock.sleep(POLL) => {}
                Some(()) = changes.recv() => {}
            }
        }
    }

    async fn look(&mut self) {
        match load::load(&self.files, self.published.as_ref(), &self.writer).await {
            Ok(Loaded::Unchanged) => self.fault = None,
            Ok(Loaded::Changed { contents, context }) => {
                if let Some(credential) = context.credential() {
                    let certificate = self.files.certificate.display();
                    tracing::info!(spiffe_id = %credential.svid().id(), %certificate, "loaded identity from files");
                }
                self.writer.publish_proven(context);
                (self.published, self.fault) = (Some(contents), None);
            }
            Err(error) => self.note(&error),
        }
    }

    /// Reports a refusal once: at once when nothing is served yet, else when it has lasted.
    fn note(&mut self, error: &ReceiveError) {
        let now = self.clock.monotonic();
        let fault = self.fault.get_or_insert(Fault { since: now, reported: None });
        let passing = self.published.is_some() && now.saturating_sub(fault.since) < PATIENCE;
        let text = error.to_string();
        if passing || fault.reported.as_ref() == Some(&text) {
            return;
        }
        self.writer.count_refusal();
        let cause = std::error::Error::source(error);
        if self.published.is_some() {
            tracing::warn!(refusal = text, cause, "refused identity files; the ones before go on");
        } else {
            tracing::warn!(refusal = text, cause, "cannot use identity files yet; trying again");
        }
        fault.reported = Some(text);
    }
}

/// Reports changes in the folders of the files, by capacity one: a second change before the first was read adds
/// nothing. `None` when the system offers no watch; polling goes on alone.
fn watch_folders(files: &IdentityFiles, changed: mpsc::Sender<()>) -> Option<impl Watcher + use<>> {
    let on_event = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| is_change(event.kind)) {
            let _ = changed.try_send(());
        }
    };
    let watched = notify::recommended_watcher(on_event).and_then(|mut watcher| {
        folders(files).iter().try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))?;
        Ok(watcher)
    });
    watched
        .inspect_err(
            |error| tracing::warn!(%error, "cannot watch the folders of identity files; polling only"),
        )
        .ok()
}

/// Our own reading opens the files, which must not count.
fn is_change(kind: EventKind) -> bool {
    !kind.is_access() || kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

fn folders(files: &IdentityFiles) -> BTreeSet<&Path> {
    [&files.certificate, &files.key, &files.bundle]
        .into_iter()
        .map(|file| match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        })
        .collect()
}

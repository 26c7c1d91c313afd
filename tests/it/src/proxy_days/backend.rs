//! A backend that returns what it hears, or leaves, or throws everybody out.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::Site;

/// Listens until it is dropped; connections that it has accepted go on to their end.
pub(super) struct Backend {
    path: PathBuf,
    over: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Backend {
    /// Returns every byte, and closes when the caller has.
    pub(super) fn echoing(site: &Site) -> Self {
        Self::start(site, |stream| {
            thread::spawn(move || io::copy(&mut &stream, &mut &stream));
        })
    }

    /// Accepts, waits for a word, and resets the connection: that word was never read.
    pub(super) fn resetting(site: &Site) -> Self {
        Self::start(site, |stream| {
            let mut polled = [rustix::event::PollFd::new(&stream, rustix::event::PollFlags::IN)];
            let _ = rustix::event::poll(&mut polled, None);
        })
    }

    fn start(site: &Site, serve: fn(UnixStream)) -> Self {
        let path = site.path("backend");
        let listener = UnixListener::bind(&path).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let worker = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream);
            }
        });
        Self { path, over, worker: Some(worker) }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes it up.
        let _ = UnixStream::connect(&self.path);
        let _ = self.worker.take().map(JoinHandle::join);
        let _ = std::fs::remove_file(&self.path);
    }
}

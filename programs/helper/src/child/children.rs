//! Every process that this one has started, and those that were left to it.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper, waitpid,
};
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// What a supervisor tells this process alone: it would not listen to another.
const OURS: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// What a terminal sends: Ctrl-C, Ctrl-\, and that its size has changed.
const BY_TERMINAL: [Signal; 3] = [Signal::INT, Signal::QUIT, Signal::WINCH];

/// Starts processes, and knows which are its own. Clones share them.
///
/// As the first process of a PID namespace, such as a container, and as a subreaper, this process is also left with those
/// whose parents have ended. [`reap_others`](Self::reap_others) waits for them, and never for one of its own: whoever
/// started that one wants its exit status.
#[derive(Clone, Debug, Default)]
pub(crate) struct Children(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    own: Mutex<HashSet<Pid>>,
    /// Told when one of its own was waited for.
    gone: Notify,
}

/// A process of our own. Dropped before it has ended, it is ended by force.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    pid: Pid,
    group: Group,
    children: Children,
}

/// In which process group one starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Of its own, with all that it starts: so they can be ended together.
    Own,
    /// Ours: a terminal lets only one group read, and sends that one its signals.
    Ours,
}

impl Children {
    /// Starts one.
    ///
    /// # Errors
    /// When the program is missing or cannot be run.
    pub(crate) fn start(&self, command: &mut Command, group: Group) -> io::Result<Child> {
        if group == Group::Own {
            command.process_group(0);
        }
        for variable in OURS {
            command.env_remove(variable);
        }
        // Held until it is known as our own, or it could be taken for somebody else's.
        let mut own = self.own();
        let process = command.kill_on_drop(true).spawn()?;
        let pid = process.id().and_then(pid).ok_or_else(|| io::Error::other("it has no process id"))?;
        own.insert(pid);
        drop(own);
        Ok(Child { process, pid, group, children: self.clone() })
    }

    /// Has orphans left to this process, also where it is not the first of its PID namespace.
    pub(crate) fn adopt() -> io::Result<()> {
        if !is_first() {
            set_child_subreaper(Some(getpid()))?;
        }
        Ok(())
    }

    /// Waits for each orphan that ends, or none of them would ever go. Never resolves.
    pub(crate) async fn reap_others(&self) {
        let mut ends = match signal(SignalKind::child()) {
            Ok(ends) => ends,
            Err(error) => {
                tracing::warn!(%error, "ends of processes are not told; those of orphans will stay as zombies");
                return std::future::pending().await;
            }
        };
        loop {
            self.sweep();
            tokio::select! {
                _ = ends.recv() => {}
                () = self.0.gone.notified() => {}
            }
        }
    }

    fn sweep(&self) {
        let own = self.own();
        while let Some(pid) = ended() {
            // Whoever waits for it comes first, and we are told then.
            if own.contains(&pid) {
                return;
            }
            match waitpid(Some(pid), WaitOptions::NOHANG) {
                Ok(Some(_)) => tracing::debug!(process = pid.as_raw_pid(), "an orphan has ended"),
                _ => return,
            }
        }
    }

    fn own(&self) -> MutexGuard<'_, HashSet<Pid>> {
        // No code that could panic half-way runs under the lock.
        self.0.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this is the first process of its PID namespace, to which all orphans are left.
pub(crate) fn is_first() -> bool {
    getpid() == Pid::INIT
}

/// Some child that has ended and was not waited for, and still is not.
fn ended() -> Option<Pid> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::All, flags) {
        Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) => Pid::from_raw(pid.as_raw()),
        _ => None,
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

impl Child {
    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Its ends of the pipes, where it has some.
    pub(crate) fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.process.stdout.take(), self.process.stderr.take())
    }

    /// Waits for its end. May be dropped while waiting, and called again.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.wait().await;
        self.forget();
        status
    }

    /// Sends a signal to the process alone: it knows best what to do with those that it has started.
    pub(crate) fn signal(&self, signal: Signal) {
        // Its id stays its own until it was waited for.
        if self.process.id().is_some() {
            self.note(kill_process(self.pid, signal), signal);
        }
    }

    /// Passes on a signal that this process got; one that a terminal sends it has sent to all of our group already.
    pub(crate) fn pass(&self, signal: Signal) {
        if self.group == Group::Own || !BY_TERMINAL.contains(&signal) {
            self.signal(signal);
        }
    }

    /// Sends a signal to the process and, if it has a group of its own, to all in there.
    pub(crate) fn signal_all(&self, signal: Signal) {
        match self.group {
            Group::Own if self.process.id().is_some() => {
                self.note(kill_process_group(self.pid, signal), signal);
            }
            _ => self.signal(signal),
        }
    }

    fn note(&self, sent: rustix::io::Result<()>, signal: Signal) {
        if let Err(error) = sent {
            tracing::warn!(%error, process = self.id(), "signal {} was not sent", signal.as_raw());
        }
    }

    fn forget(&self) {
        self.children.own().remove(&self.pid);
        self.children.0.gone.notify_one();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.process.id().is_some() {
            self.signal_all(Signal::KILL);
            self.forget();
        }
    }
}

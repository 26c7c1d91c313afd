//! What a supervisor such as systemd is told of the proxies, in ghostunnel's words.

use std::sync::Arc;

use finial_daemon::{Clock, Supervisor};
use tokio::sync::watch;

use crate::gate::Gate;

/// Tells the state of the process, and which proxies it is about.
#[derive(Clone, Debug)]
pub(crate) struct Announcer {
    supervisor: Supervisor,
    gates: watch::Receiver<Vec<Arc<Gate>>>,
}

impl Announcer {
    pub(crate) fn new(supervisor: Supervisor, gates: watch::Receiver<Vec<Arc<Gate>>>) -> Self {
        Self { supervisor, gates }
    }

    /// Callers are accepted.
    pub(crate) fn listening(&self) {
        self.supervisor.ready(&format!("listening | {}", self.proxies()));
    }

    /// Files are read again; [`listening`](Self::listening) follows.
    pub(crate) fn reloading(&self) {
        self.supervisor.reloading(&format!("reloading | {}", self.proxies()));
    }

    /// Nobody is accepted any more.
    pub(crate) fn stopping(&self) {
        self.supervisor.stopping(&format!("stopping | {}", self.proxies()));
    }

    /// Gives signs of life for as long as it is polled.
    pub(crate) async fn keep_alive(&self, clock: &Clock) {
        self.supervisor.keep_alive(clock).await;
    }

    fn proxies(&self) -> String {
        match self.gates.borrow().as_slice() {
            [gate] => {
                let proxy = gate.proxy();
                format!("{} proxying {} => {}", proxy.mode(), gate.listen_address(), proxy.targets())
            }
            gates => format!("{} listeners", gates.len()),
        }
    }
}

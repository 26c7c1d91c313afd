//! What a supervisor such as systemd is told of the server, the agent, and both in one: for units with `Type=notify`.

use std::future::Future;

use finial_daemon::{Clock, Supervisor};

use crate::server::terminated;

/// The one that the environment names, or nobody.
pub(crate) struct Supervised {
    supervisor: Supervisor,
}

impl Supervised {
    pub(crate) fn from_env() -> Self {
        Self { supervisor: Supervisor::from_env() }
    }

    /// Runs a program that is bound and begins to serve, and tells that it does, and as long as it lives. `status` is for
    /// people.
    pub(crate) async fn run<T>(&self, status: &str, program: impl Future<Output = T>) -> T {
        self.supervisor.ready(status);
        let clock = Clock::system();
        tokio::select! {
            outcome = program => outcome,
            () = self.supervisor.keep_alive(&clock) => std::future::pending().await,
        }
    }

    /// Listens for SIGINT and SIGTERM from now on; resolves at the first, of which it tells.
    pub(crate) fn terminated(&self) -> impl Future<Output = ()> {
        let terminated = terminated();
        async {
            terminated.await;
            self.supervisor.stopping("stopping");
        }
    }
}

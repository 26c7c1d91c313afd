//! The helper as a program: the folder is locked and every port bound, then it runs.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, Supervisor, Tasks};
use rustix::process::Signal;
use tokio::sync::oneshot;

use crate::deliver::Deliverer;
use crate::folder::Folder;
use crate::hooks::{Ended, Hooks};
use crate::vitals::{Announcer, HealthListener, Vitals};
use crate::{Config, DeliverError, HelperError};

/// For what is neither a command nor a hook, once all of those have ended.
const GRACE: Duration = Duration::from_secs(2);

/// A helper that has its folder to itself, and has asked nobody for anything yet.
#[derive(Debug)]
pub struct App {
    config: Arc<Config>,
    deliverer: Deliverer,
    health: Option<HealthListener>,
    vitals: Vitals,
    clock: Clock,
    tasks: Tasks,
}

/// The signal that asked for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSignal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Locks the folder, looks up the owner of the files, and binds the port of health.
///
/// Must be called inside a Tokio runtime; one thread is enough.
///
/// # Errors
/// [`HelperError`], with the remedy.
pub async fn build(config: Config, clock: &Clock) -> Result<App, HelperError> {
    let owner = config.ownership.resolve()?;
    let folder = Folder::open(&config.cert_dir, config.layout, owner)?;
    let health = match config.hooks.health.clone().filter(|_| config.daemon_mode) {
        Some(health) => Some(HealthListener::bind(health).await.map_err(HelperError::Health)?),
        None => None,
    };
    let (config, vitals) = (Arc::new(config), Vitals::new(clock));
    let deliverer = Deliverer::new(Arc::clone(&config), folder, &vitals, clock);
    let tasks = Tasks::new(clock.clone());
    Ok(App { config, deliverer, health, vitals, clock: clock.clone(), tasks })
}

/// Why the helper ends.
enum End {
    Asked(EndSignal),
    Hooks(Ended),
    Delivery(DeliverError),
    Panic,
}

impl App {
    /// Where health is served; `None` when it is not.
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health.as_ref().and_then(HealthListener::address)
    }

    /// Delivers until `until` resolves, or the program ends that the helper stands for; in one-shot mode once. Returns
    /// the exit code: that of the program, else 0.
    ///
    /// # Errors
    /// [`HelperError::Deliver`] when in one-shot mode something could not be delivered, or when the agent never will;
    /// [`HelperError::Panicked`] when a part of the helper failed.
    pub async fn run(self, until: impl Future<Output = EndSignal>) -> Result<u8, HelperError> {
        if self.config.daemon_mode { self.go_on(until).await } else { self.once(until).await }
    }

    async fn once(self, until: impl Future<Output = EndSignal>) -> Result<u8, HelperError> {
        let Self { deliverer, tasks, .. } = self;
        let delivered = tokio::select! {
            delivered = deliverer.once(&tasks) => delivered,
            _ = until => Ok(()),
        };
        tasks.stop(GRACE).await;
        delivered?;
        Ok(0)
    }

    async fn go_on(self, until: impl Future<Output = EndSignal>) -> Result<u8, HelperError> {
        let Self { config, deliverer, health, vitals, clock, tasks } = self;
        let deliveries = deliverer.deliveries();
        let hooks = Hooks::start(&config.hooks, &deliveries, &vitals, &clock).map_err(HelperError::Hooks);
        let mut hooks = hooks?;
        if let Some(health) = health {
            health.serve(&vitals, &clock, &tasks);
        }
        let supervisor = Supervisor::from_env();
        let announcer = Announcer::new(supervisor.clone(), vitals);
        tasks.spawn("announcer", announcer.run(clock, tasks.drain()));
        let failed = deliver(deliverer, &tasks);

        let drain = tasks.drain();
        let end = tokio::select! {
            signal = until => End::Asked(signal),
            ended = hooks.ended() => End::Hooks(ended),
            Ok(error) = failed => End::Delivery(error),
            () = drain.requested() => End::Panic,
        };
        supervisor.stopping("stopping");
        // Deliveries go on while commands end: the last thing they do may need an identity.
        let code = hooks.stop(end.signal()).await;
        tasks.stop(GRACE).await;
        match (end, tasks.panicked()) {
            (End::Hooks(Ended::Panicked(task)), _) | (_, Some(task)) => Err(HelperError::Panicked(task)),
            (End::Delivery(error), None) => Err(error.into()),
            (End::Hooks(Ended::Program(code)), None) => Ok(code),
            (End::Asked(_) | End::Panic, None) => Ok(code.unwrap_or(0)),
        }
    }
}

impl End {
    /// By which commands are asked to end.
    fn signal(&self) -> Signal {
        match self {
            Self::Asked(EndSignal::Interrupt) => Signal::INT,
            _ => Signal::TERM,
        }
    }
}

/// Runs the deliverer, and resolves with the error by which it ends.
fn deliver(deliverer: Deliverer, tasks: &Tasks) -> oneshot::Receiver<DeliverError> {
    let (report, failed) = oneshot::channel();
    let (drain, inner) = (tasks.drain(), tasks.clone());
    tasks.spawn("deliver", async move {
        tokio::select! {
            ended = deliverer.run(&inner) => {
                // Nobody listens any more when the helper is stopping anyway.
                let _ = ended.map_err(|error| report.send(error));
            }
            () = drain.requested() => {}
        }
    });
    failed
}

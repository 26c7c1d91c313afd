//! A pool of connections, none of which outlives what it rests on.

mod client;
mod keeper;
mod lease;
mod statements;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, RecycleError, RecycleResult, Timeouts};
use finial_daemon::Tasks;
use tokio_postgres::Config;

pub use self::client::Client;
use self::client::Pooled;
use self::keeper::Keeper;
use self::lease::Lease;
use crate::connector::Opened;
use crate::{Connector, Error};

/// A pool of deadpool's that lends [`Client`]s. Cheap to clone; its connections close with its last clone.
pub type Pool = managed::Pool<Manager, Client>;

/// How many connections a [`Pool`] has, and how long they live.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// The most connections at once; one at least. By default 16.
    pub max_size: usize,
    /// How long [`Pool::get`](managed::Pool::get) waits when all are lent. By default 30 seconds. What a new connection may
    /// take is the [connector's](Connector::with_limit) affair.
    pub wait: Duration,
    /// So long before the SVID that it was made with expires, or the certificate of the server, a connection is retired:
    /// closed as soon as it is not lent. So the authorities of both may leave the bundle in their time, and no query
    /// notices. Spread over as much time again, so that not all are made anew at once, and never in the first half of what
    /// was left. By default five minutes.
    pub retire_before: Duration,
    /// If a time: so long after a newer SVID has come, connections made with an older one are retired as well. By default
    /// none is for that reason, since PostgreSQL looks at a certificate only when a connection begins.
    pub renew_after: Option<Duration>,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_size: 16,
            wait: Duration::from_secs(30),
            retire_before: Duration::from_secs(300),
            renew_after: None,
        }
    }
}

/// Opens a pool. No connection is made before somebody asks for one.
///
/// When the trust of a connection goes (the server's authority leaves the bundle, or our identity is withdrawn) it is
/// closed at once, lent or not: what waits on it fails, and the next [`get`](managed::Pool::get) says why there is no
/// other. When `tasks` end, the pool is closed. Must be called inside a Tokio runtime.
pub fn pool(connector: &Connector, config: &Config, settings: PoolSettings, tasks: &Tasks) -> Pool {
    let keeper = Arc::new(Keeper::new(connector.source().clone(), settings.renew_after));
    let (max_size, wait) = (settings.max_size.max(1), settings.wait);
    let manager = Manager {
        connector: connector.clone(),
        config: config.clone(),
        settings,
        tasks: tasks.clone(),
        keeper: Arc::clone(&keeper),
    };
    let timeouts = Timeouts { wait: Some(wait), ..Timeouts::new() };
    let builder = Pool::builder(manager).max_size(max_size).timeouts(timeouts).runtime(Runtime::Tokio1);
    #[expect(clippy::expect_used, reason = "only a pool with timeouts and without a runtime is refused")]
    let pool = builder.build().expect("a runtime was given");
    tasks.spawn("postgres pool", keeper::keep(pool.weak(), keeper, tasks.drain()));
    pool
}

/// Makes the connections of a [`Pool`].
pub struct Manager {
    connector: Connector,
    config: Config,
    settings: PoolSettings,
    tasks: Tasks,
    keeper: Arc<Keeper>,
}

impl managed::Manager for Manager {
    type Type = Pooled;
    type Error = Error;

    async fn create(&self) -> Result<Pooled, Error> {
        let Opened { client, connection, established } = self.connector.open(&self.config).await?;
        let lease =
            Arc::new(Lease::new(established, self.settings.retire_before, self.connector.source().clock()));
        self.keeper.add(&lease);
        let (ending, keeper) = (Arc::clone(&lease), Arc::clone(&self.keeper));
        self.tasks.spawn_session("postgres connection", async move {
            if let Err(error) = connection.await {
                let cause = std::error::Error::source(&error);
                tracing::warn!(cause, "a connection to PostgreSQL has ended: {error}");
            }
            ending.end();
            keeper.wake();
        });
        Ok(Pooled::new(client, lease, Arc::clone(&self.keeper)))
    }

    async fn recycle(&self, pooled: &mut Pooled, _: &Metrics) -> RecycleResult<Error> {
        match pooled.is_fresh() {
            true => Ok(()),
            false => Err(RecycleError::message("the connection has ended or is to be retired")),
        }
    }
}

impl Drop for Manager {
    /// With the pool: there is nothing left to keep.
    fn drop(&mut self) {
        self.keeper.wake();
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connector, config, settings, .. } = self;
        f.debug_struct("Manager")
            .field("connector", connector)
            .field("config", config)
            .field("settings", settings)
            .finish_non_exhaustive()
    }
}

//! A connection that was lent.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use deadpool::managed::Object;
use finial_identity::X509Svid;
use tokio_postgres::{Error, Statement};

use super::statements::Statements;
use super::{Keeper, Lease, Manager};

/// A connection of a [`Pool`](super::Pool), which goes back when this is dropped. Does all that a [`tokio_postgres::Client`]
/// does.
pub struct Client {
    // Goes back before it is told.
    object: Object<Manager>,
    _returned: Returned,
}

impl Client {
    /// A statement that is prepared once for each connection, and then known by its text. At most 256 are kept; what uses
    /// more is better off with [`query_typed`](tokio_postgres::Client::query_typed).
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn prepare_cached(&self, query: &str) -> Result<Statement, Error> {
        self.object.statements.prepare(&self.object.client, query).await
    }

    /// The SVID that the connection was made with, or one that was replaced in that moment; `None` when we had none.
    pub fn svid(&self) -> Option<&X509Svid> {
        self.object.lease.credential().map(|credential| credential.svid())
    }
}

impl Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &tokio_postgres::Client {
        &self.object.client
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut tokio_postgres::Client {
        &mut self.object.client
    }
}

impl From<Object<Manager>> for Client {
    fn from(object: Object<Manager>) -> Self {
        let returned = Returned { lease: Arc::clone(&object.lease), keeper: Arc::clone(&object.keeper) };
        Self { object, _returned: returned }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("svid", &self.svid()).finish_non_exhaustive()
    }
}

/// What a pool holds: a connection that nobody has at the moment.
pub struct Pooled {
    client: tokio_postgres::Client,
    statements: Statements,
    lease: Arc<Lease>,
    keeper: Arc<Keeper>,
}

impl Pooled {
    pub(super) fn new(client: tokio_postgres::Client, lease: Arc<Lease>, keeper: Arc<Keeper>) -> Self {
        Self { client, statements: Statements::default(), lease, keeper }
    }

    pub(super) fn is_fresh(&self) -> bool {
        !self.client.is_closed() && self.keeper.is_fresh(&self.lease)
    }
}

impl fmt::Debug for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").field("lease", &self.lease).finish_non_exhaustive()
    }
}

/// Tells the keeper of a connection that came back after it had ended, or was to be retired.
struct Returned {
    lease: Arc<Lease>,
    keeper: Arc<Keeper>,
}

impl Drop for Returned {
    fn drop(&mut self) {
        if !self.keeper.is_fresh(&self.lease) {
            self.keeper.wake();
        }
    }
}

//! Statements by their text, prepared once for each connection.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_postgres::{Client, Error, Statement};

/// So many are kept; then all are forgotten, since a program that makes up its queries never says one twice.
const LIMIT: usize = 256;

/// What one connection has prepared. The server forgets a statement when its last copy is dropped.
#[derive(Default)]
pub(super) struct Statements(Mutex<HashMap<String, Statement>>);

impl Statements {
    pub(super) async fn prepare(&self, client: &Client, query: &str) -> Result<Statement, Error> {
        if let Some(known) = self.known().get(query) {
            return Ok(known.clone());
        }
        let statement = client.prepare(query).await?;
        let mut known = self.known();
        if known.len() >= LIMIT {
            known.clear();
        }
        known.insert(query.to_owned(), statement.clone());
        Ok(statement)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Statement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Attested nodes in SQLite.

use async_trait::async_trait;
use finial_identity::{Node, SpiffeId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::columns::{from_instant, from_list, to_instant, to_list, to_text};
use super::failure::Failure;
use super::{SqliteStore, Write, changes, entries};
use crate::{ChangeKind, DeletedNode, Nodes, Noun, Revision, StoreError};

#[async_trait]
impl Nodes for SqliteStore {
    async fn create_or_replace_node(&self, node: Node) -> Result<Revision, StoreError> {
        self.write(CreateOrReplace(node)).await
    }

    async fn update_node(&self, seen: &Node, node: Node) -> Result<Revision, StoreError> {
        self.write(Update { seen: seen.clone(), node }).await
    }

    async fn delete_node(&self, id: &SpiffeId) -> Result<DeletedNode, StoreError> {
        self.write(Delete(id.clone())).await
    }

    async fn nodes(&self, ids: &[SpiffeId]) -> Result<Vec<Node>, StoreError> {
        let rows = sqlx::query("SELECT * FROM nodes WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(from_list(ids))
            .fetch_all(&self.reads)
            .await;
        self.decode(rows, decode)
    }

    async fn scan_nodes(&self, after: Option<&SpiffeId>, limit: u32) -> Result<Vec<Node>, StoreError> {
        let rows = sqlx::query("SELECT * FROM nodes WHERE id > ?1 ORDER BY id LIMIT ?2")
            .bind(after.map_or("", SpiffeId::as_str))
            .bind(limit)
            .fetch_all(&self.reads)
            .await;
        self.decode(rows, decode)
    }
}

struct CreateOrReplace(Node);

#[async_trait]
impl Write for CreateOrReplace {
    type Outcome = Revision;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<Revision, Failure> {
        let Self(node) = self;
        let revision = changes::record(tx, ChangeKind::Node, node.id.as_str()).await?;
        if let Some(stored) = find(&node.id, tx).await? {
            refuse_banned(&stored)?;
        }
        put(node, tx).await?;
        Ok(revision)
    }
}

struct Update {
    seen: Node,
    node: Node,
}

#[async_trait]
impl Write for Update {
    type Outcome = Revision;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<Revision, Failure> {
        let revision = changes::record(tx, ChangeKind::Node, self.node.id.as_str()).await?;
        let stored = find(&self.node.id, tx).await?.ok_or_else(|| not_found(&self.node.id))?;
        refuse_banned(&stored)?;
        if stored != self.seen {
            return Err(StoreError::Conflict { noun: Noun::Node, key: self.node.id.to_string() }.into());
        }
        put(&self.node, tx).await?;
        Ok(revision)
    }
}

struct Delete(SpiffeId);

#[async_trait]
impl Write for Delete {
    type Outcome = DeletedNode;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<DeletedNode, Failure> {
        let Self(id) = self;
        let revision = changes::record(tx, ChangeKind::Node, id.as_str()).await?;
        let node = find(id, tx).await?.ok_or_else(|| not_found(id))?;
        sqlx::query("DELETE FROM nodes WHERE id = ?1").bind(id.as_str()).execute(&mut *tx).await?;
        let aliases = match node.attestation_type.as_str() {
            "join_token" => entries::delete_aliases_of(id, tx).await?,
            _ => Vec::new(), // it may attest again, and want them
        };
        let revision = aliases.last().map_or(revision, |(_, newest)| *newest);
        Ok(DeletedNode { revision, node, aliases: aliases.into_iter().map(|(alias, _)| alias).collect() })
    }
}

fn not_found(id: &SpiffeId) -> Failure {
    StoreError::NotFound { noun: Noun::Node, key: id.to_string() }.into()
}

fn refuse_banned(stored: &Node) -> Result<(), Failure> {
    if stored.is_banned() { Err(StoreError::Banned { node: stored.id.to_string() }.into()) } else { Ok(()) }
}

async fn find(id: &SpiffeId, tx: &mut SqliteConnection) -> Result<Option<Node>, Failure> {
    let row = sqlx::query("SELECT * FROM nodes WHERE id = ?1").bind(id.as_str()).fetch_optional(tx).await?;
    row.as_ref().map(decode).transpose()
}

async fn put(node: &Node, tx: &mut SqliteConnection) -> Result<(), Failure> {
    let statement = "INSERT OR REPLACE INTO nodes (id, attestation_type, serial_number, expires_at, \
                     new_serial_number, new_expires_at, selectors, can_reattest, agent_version) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(statement)
        .bind(node.id.as_str())
        .bind(&node.attestation_type)
        .bind(&node.serial_number)
        .bind(from_instant(node.expires_at))
        .bind(&node.new_serial_number)
        .bind(node.new_expires_at.map(from_instant))
        .bind(from_list(&node.selectors))
        .bind(node.can_reattest)
        .bind(&node.agent_version)
        .execute(tx)
        .await?;
    Ok(())
}

fn decode(row: &SqliteRow) -> Result<Node, Failure> {
    let id: &str = row.try_get("id")?;
    let place = format_args!("node `{id}`");
    Ok(Node {
        id: to_text(id, place)?,
        attestation_type: row.try_get("attestation_type")?,
        serial_number: row.try_get("serial_number")?,
        expires_at: to_instant(row.try_get("expires_at")?, place)?,
        new_serial_number: row.try_get("new_serial_number")?,
        new_expires_at: row
            .try_get::<Option<i64>, _>("new_expires_at")?
            .map(|end| to_instant(end, place))
            .transpose()?,
        selectors: to_list(row.try_get("selectors")?, place)?,
        can_reattest: row.try_get("can_reattest")?,
        agent_version: row.try_get("agent_version")?,
    })
}

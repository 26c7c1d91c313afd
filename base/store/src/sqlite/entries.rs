//! Registration entries in SQLite.

mod create;

use async_trait::async_trait;
use finial_identity::{Entry, EntryDraft, EntryId, SpiffeId};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, SqliteConnection};

use super::columns::{from_instant, from_list, from_span, sha256, to_instant, to_list, to_span, to_text};
use super::failure::Failure;
use super::{SqliteStore, Write, changes};
use crate::{ChangeKind, Entries, Noun, Revision, StoreError};

#[async_trait]
impl Entries for SqliteStore {
    async fn create_entries(
        &self,
        entries: Vec<Entry>,
    ) -> Result<Vec<Result<Revision, StoreError>>, StoreError> {
        self.write(create::Create(entries)).await
    }

    async fn update_entry(&self, entry: Entry) -> Result<Revision, StoreError> {
        self.write(Update(entry)).await
    }

    async fn delete_entry(&self, id: &EntryId) -> Result<Revision, StoreError> {
        self.write(Delete(id.clone())).await
    }

    async fn entries(&self, ids: &[EntryId]) -> Result<Vec<Entry>, StoreError> {
        let (mut entries, rest) = self.fresh.take(ids);
        if !rest.is_empty() {
            let rows = sqlx::query("SELECT * FROM entries WHERE id IN (SELECT value FROM json_each(?1))")
                .bind(from_list(rest))
                .fetch_all(&self.reads)
                .await;
            entries.extend(self.decode(rows, decode)?);
        }
        Ok(entries)
    }

    async fn scan_entries(&self, after: Option<&EntryId>, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query("SELECT * FROM entries WHERE id > ?1 ORDER BY id LIMIT ?2")
            .bind(after.map_or("", EntryId::as_str))
            .bind(limit)
            .fetch_all(&self.reads)
            .await;
        self.decode(rows, decode)
    }
}

struct Update(Entry);

#[async_trait]
impl Write for Update {
    type Outcome = Revision;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<Revision, Failure> {
        let Self(entry) = self;
        let revision = changes::record(tx, ChangeKind::Entry, entry.id.as_str()).await?;
        self.refuse_stale(tx).await?;
        let existing: Option<String> =
            sqlx::query_scalar("SELECT id FROM entries WHERE likeness = ?1 AND id <> ?2")
                .bind(likeness(entry))
                .bind(entry.id.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        if let Some(existing) = existing {
            return Err(StoreError::Duplicate { noun: Noun::Entry, existing }.into());
        }
        if let Some(trust_domain) = unknown_bundle(entry, tx).await? {
            return Err(StoreError::NoBundle { trust_domain }.into());
        }
        let update = sqlx::query(
            "UPDATE entries SET revision_number = revision_number + 1, spiffe_id = ?, parent_id = ?, selectors = ?, \
             likeness = ?, x509_svid_ttl = ?, jwt_svid_ttl = ?, federates_with = ?, admin = ?, downstream = ?, \
             store_svid = ?, expires_at = ?, dns_names = ?, hint = ?, x509_svid_prefetch_disabled = ?, \
             jwt_svid_includes_jti = ? WHERE id = ?",
        );
        bind_draft(update, entry).bind(entry.id.as_str()).execute(tx).await?;
        Ok(revision)
    }
}

impl Update {
    async fn refuse_stale(&self, tx: &mut SqliteConnection) -> Result<(), Failure> {
        let Self(entry) = self;
        let stored: Option<i64> = sqlx::query_scalar("SELECT revision_number FROM entries WHERE id = ?1")
            .bind(entry.id.as_str())
            .fetch_optional(tx)
            .await?;
        match stored {
            None => Err(not_found(&entry.id)),
            Some(stored) if stored == entry.revision_number => Ok(()),
            Some(_) => Err(StoreError::Conflict { noun: Noun::Entry, key: entry.id.to_string() }.into()),
        }
    }
}

struct Delete(EntryId);

#[async_trait]
impl Write for Delete {
    type Outcome = Revision;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<Revision, Failure> {
        let Self(id) = self;
        let revision = changes::record(tx, ChangeKind::Entry, id.as_str()).await?;
        let deleted = sqlx::query("DELETE FROM entries WHERE id = ?1").bind(id.as_str()).execute(tx).await?;
        if deleted.rows_affected() == 0 { Err(not_found(id)) } else { Ok(revision) }
    }
}

/// Deletes the aliases of a node that a join token had made: no other node ever has its SPIFFE ID, so that nothing
/// else can match them. Returns them with the revision of each.
pub(super) async fn delete_aliases_of(
    node: &SpiffeId,
    tx: &mut SqliteConnection,
) -> Result<Vec<(EntryId, Revision)>, Failure> {
    let selectors = from_list([format!("spiffe_id:{node}")]);
    let ids: Vec<String> = sqlx::query_scalar(
        "DELETE FROM entries WHERE parent_id IN (?1, ?2) AND selectors = ?3 \
                            AND selectors LIKE '[\"spiffe_id:%' RETURNING id",
    )
    .bind(node.trust_domain().server_id().as_str())
    .bind(node.as_str())
    .bind(selectors)
    .fetch_all(&mut *tx)
    .await?;
    let revisions = changes::record_all(tx, ChangeKind::Entry, &ids).await?;
    ids.iter().zip(revisions).map(|(id, revision)| Ok((to_text(id, "entry")?, revision))).collect()
}

/// Refuses while entries federate with the trust domain.
pub(super) async fn refuse_federating(trust_domain: &str, tx: &mut SqliteConnection) -> Result<(), Failure> {
    let entries: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM entries, json_each(entries.federates_with) WHERE json_each.value = ?1",
    )
    .bind(trust_domain)
    .fetch_one(tx)
    .await?;
    match entries.unsigned_abs() {
        0 => Ok(()),
        entries => Err(StoreError::Federated { trust_domain: trust_domain.to_owned(), entries }.into()),
    }
}

/// Deletes the entries that federate with the trust domain. Gives the newest revision that this took, if any.
pub(super) async fn delete_federating(
    trust_domain: &str,
    tx: &mut SqliteConnection,
) -> Result<Option<Revision>, Failure> {
    let delete = "DELETE FROM entries \
                  WHERE EXISTS (SELECT 1 FROM json_each(federates_with) WHERE value = ?1) RETURNING id";
    let ids: Vec<String> = sqlx::query_scalar(delete).bind(trust_domain).fetch_all(&mut *tx).await?;
    Ok(changes::record_all(tx, ChangeKind::Entry, &ids).await?.last())
}

/// Lets the entries that federate with the trust domain do so no longer. Gives the newest revision that this took, if
/// any.
pub(super) async fn dissociate(
    trust_domain: &str,
    tx: &mut SqliteConnection,
) -> Result<Option<Revision>, Failure> {
    let update = "UPDATE entries SET revision_number = revision_number + 1, federates_with = \
                  (SELECT json_group_array(value) FROM json_each(federates_with) WHERE value <> ?1) \
                  WHERE EXISTS (SELECT 1 FROM json_each(federates_with) WHERE value = ?1) RETURNING id";
    let ids: Vec<String> = sqlx::query_scalar(update).bind(trust_domain).fetch_all(&mut *tx).await?;
    Ok(changes::record_all(tx, ChangeKind::Entry, &ids).await?.last())
}

fn not_found(id: &EntryId) -> Failure {
    StoreError::NotFound { noun: Noun::Entry, key: id.to_string() }.into()
}

/// A trust domain that the entry federates with and whose bundle is not stored.
async fn unknown_bundle(entry: &Entry, tx: &mut SqliteConnection) -> Result<Option<String>, Failure> {
    if entry.federates_with.is_empty() {
        return Ok(None);
    }
    let unknown =
        "SELECT value FROM json_each(?1) WHERE value NOT IN (SELECT trust_domain FROM bundles) LIMIT 1";
    Ok(sqlx::query_scalar(unknown).bind(from_list(&entry.federates_with)).fetch_optional(tx).await?)
}

/// What no two entries share.
fn likeness(entry: &EntryDraft) -> Vec<u8> {
    let selectors = from_list(&entry.selectors);
    sha256(format!("{}\0{}\0{selectors}", entry.spiffe_id, entry.parent_id).as_bytes())
}

/// Binds the columns from `spiffe_id` to `jwt_svid_includes_jti`, in the order of the update.
fn bind_draft<'q>(
    statement: Query<'q, Sqlite, SqliteArguments>,
    entry: &EntryDraft,
) -> Query<'q, Sqlite, SqliteArguments> {
    statement
        .bind(entry.spiffe_id.to_string())
        .bind(entry.parent_id.to_string())
        .bind(from_list(&entry.selectors))
        .bind(likeness(entry))
        .bind(entry.x509_svid_ttl.map(from_span))
        .bind(entry.jwt_svid_ttl.map(from_span))
        .bind(from_list(&entry.federates_with))
        .bind(entry.admin)
        .bind(entry.downstream)
        .bind(entry.store_svid)
        .bind(entry.expires_at.map(from_instant))
        .bind(from_list(&entry.dns_names))
        .bind(entry.hint.clone())
        .bind(entry.x509_svid_prefetch_disabled)
        .bind(entry.jwt_svid_includes_jti)
}

fn decode(row: &SqliteRow) -> Result<Entry, Failure> {
    let id: &str = row.try_get("id")?;
    let place = format_args!("entry `{id}`");
    let draft = EntryDraft {
        spiffe_id: to_text(row.try_get("spiffe_id")?, place)?,
        parent_id: to_text(row.try_get("parent_id")?, place)?,
        selectors: to_list(row.try_get("selectors")?, place)?,
        x509_svid_ttl: row
            .try_get::<Option<i64>, _>("x509_svid_ttl")?
            .map(|ttl| to_span(ttl, place))
            .transpose()?,
        jwt_svid_ttl: row
            .try_get::<Option<i64>, _>("jwt_svid_ttl")?
            .map(|ttl| to_span(ttl, place))
            .transpose()?,
        federates_with: to_list(row.try_get("federates_with")?, place)?,
        admin: row.try_get("admin")?,
        downstream: row.try_get("downstream")?,
        store_svid: row.try_get("store_svid")?,
        expires_at: row
            .try_get::<Option<i64>, _>("expires_at")?
            .map(|end| to_instant(end, place))
            .transpose()?,
        dns_names: to_list(row.try_get("dns_names")?, place)?,
        hint: row.try_get("hint")?,
        x509_svid_prefetch_disabled: row.try_get("x509_svid_prefetch_disabled")?,
        jwt_svid_includes_jti: row.try_get("jwt_svid_includes_jti")?,
    };
    let trust_domain = draft.spiffe_id.trust_domain();
    let created_at = to_instant(row.try_get("created_at")?, place)?;
    let entry = Entry::new(draft, to_text(id, place)?, &trust_domain, created_at);
    let mut entry = entry.map_err(|error| Failure::corrupt_row(place, error))?;
    entry.revision_number = row.try_get("revision_number")?;
    Ok(entry)
}

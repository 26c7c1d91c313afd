//! Many entries, written by a few statements: one for each would cost several times as much.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use finial_identity::{Entry, TrustDomain};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::super::columns::{from_instant, from_list, from_span};
use super::super::failure::Failure;
use super::super::{Write, changes};
use super::{likeness, unknown_bundle};
use crate::{ChangeKind, Noun, Revision, StoreError};

pub(super) struct Create(pub(super) Vec<Entry>);

#[async_trait]
impl Write for Create {
    type Outcome = Vec<Result<Revision, StoreError>>;

    async fn apply(&self, tx: &mut SqliteConnection) -> Result<Self::Outcome, Failure> {
        let mut outcomes = Vec::with_capacity(self.0.len());
        for entries in self.0.chunks(ROWS) {
            let revisions = insert(entries, tx).await?;
            for (entry, revision) in entries.iter().zip(revisions) {
                outcomes.push(match revision {
                    Some(revision) => Ok(revision),
                    None => Err(why_refused(entry, tx).await?),
                });
            }
        }
        Ok(outcomes)
    }

    fn created(&self, outcomes: &Self::Outcome) -> Option<Vec<Entry>> {
        let created = self.0.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok());
        Some(created.map(|(entry, _)| entry.clone()).collect())
    }
}

/// How many rows one statement inserts: so few that each full one is the same text, which is prepared once and kept.
const ROWS: usize = 50;

/// Inserts what does not clash with what is stored, or with what comes before it, and federates with known bundles only.
/// Gives the revision of each that was inserted.
async fn insert(entries: &[Entry], tx: &mut SqliteConnection) -> Result<Vec<Option<Revision>>, Failure> {
    let likenesses: Vec<Vec<u8>> = entries.iter().map(|entry| likeness(entry)).collect();
    let known = known_bundles(entries, tx).await?;
    let rows = federating(entries, &likenesses, &known);
    if rows.is_empty() {
        return Ok(vec![None; entries.len()]);
    }
    let mut statement = insertion(&rows);
    let query = statement.build_query_scalar::<Vec<u8>>().persistent(matches!(rows.len(), 1 | ROWS));
    let mut inserted: HashSet<Vec<u8>> = query.fetch_all(&mut *tx).await?.into_iter().collect();
    let is_new: Vec<bool> = likenesses.iter().map(|likeness| inserted.remove(likeness)).collect();
    let new = entries.iter().zip(&is_new).filter(|(_, is_new)| **is_new);
    let ids: Vec<&str> = new.map(|(entry, _)| entry.id.as_str()).collect();
    let mut revisions = changes::record_all(tx, ChangeKind::Entry, &ids).await?;
    Ok(is_new.into_iter().map(|is_new| if is_new { revisions.next() } else { None }).collect())
}

/// An entry and its likeness.
type Likened<'a> = (&'a Entry, &'a [u8]);

/// Those that federate with known trust domains only, with their likenesses.
fn federating<'a>(
    entries: &'a [Entry],
    likenesses: &'a [Vec<u8>],
    known: &HashSet<String>,
) -> Vec<Likened<'a>> {
    let rows = entries.iter().zip(likenesses.iter().map(Vec::as_slice));
    rows.filter(|(entry, _)| entry.federates_with.iter().all(|name| known.contains(name.name()))).collect()
}

/// The statement that inserts these rows, where nothing is in their way, and says which.
fn insertion(rows: &[Likened<'_>]) -> QueryBuilder<Sqlite> {
    let mut statement = QueryBuilder::new(
        "INSERT INTO entries (id, spiffe_id, parent_id, selectors, likeness, x509_svid_ttl, jwt_svid_ttl, \
         federates_with, admin, downstream, store_svid, expires_at, dns_names, hint, \
         x509_svid_prefetch_disabled, jwt_svid_includes_jti, revision_number, created_at) ",
    );
    statement.push_values(rows, |mut row, (entry, likeness)| {
        row.push_bind(entry.id.as_str())
            .push_bind(entry.spiffe_id.as_str())
            .push_bind(entry.parent_id.as_str())
            .push_bind(from_list(&entry.selectors))
            .push_bind(*likeness)
            .push_bind(entry.x509_svid_ttl.map(from_span))
            .push_bind(entry.jwt_svid_ttl.map(from_span))
            .push_bind(from_list(&entry.federates_with))
            .push_bind(entry.admin)
            .push_bind(entry.downstream)
            .push_bind(entry.store_svid)
            .push_bind(entry.expires_at.map(from_instant))
            .push_bind(from_list(&entry.dns_names))
            .push_bind(entry.hint.as_str())
            .push_bind(entry.x509_svid_prefetch_disabled)
            .push_bind(entry.jwt_svid_includes_jti)
            .push_bind(entry.revision_number)
            .push_bind(from_instant(entry.created_at));
    });
    // By its likeness an entry is known even when two of one batch have the same id.
    statement.push(" ON CONFLICT DO NOTHING RETURNING likeness");
    statement
}

/// The trust domains that these entries federate with and whose bundles are stored.
async fn known_bundles(entries: &[Entry], tx: &mut SqliteConnection) -> Result<HashSet<String>, Failure> {
    let names: BTreeSet<&str> =
        entries.iter().flat_map(|entry| &entry.federates_with).map(TrustDomain::name).collect();
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let known = "SELECT trust_domain FROM bundles WHERE trust_domain IN (SELECT value FROM json_each(?1))";
    Ok(sqlx::query_scalar(known).bind(from_list(names)).fetch_all(tx).await?.into_iter().collect())
}

/// Why an entry was not inserted.
async fn why_refused(entry: &Entry, tx: &mut SqliteConnection) -> Result<StoreError, Failure> {
    let existing: Option<String> =
        sqlx::query_scalar("SELECT id FROM entries WHERE id = ?1 OR likeness = ?2 ORDER BY id <> ?1 LIMIT 1")
            .bind(entry.id.as_str())
            .bind(likeness(entry))
            .fetch_optional(&mut *tx)
            .await?;
    if let Some(existing) = existing {
        return Ok(StoreError::Duplicate { noun: Noun::Entry, existing });
    }
    Ok(match unknown_bundle(entry, tx).await? {
        Some(trust_domain) => StoreError::NoBundle { trust_domain },
        // It cannot be seen why: whoever asks again is told.
        None => StoreError::Conflict { noun: Noun::Entry, key: entry.id.to_string() },
    })
}

//! The books: journal, bundle and keys read together, and written in that order.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_identity::Bundle;
use finial_keys::Key;
use finial_store::Revision;

use super::journal::Journal;
use super::shelf::Shelf;
use super::{ActiveAuthorities, AuthorityKind, AuthorityRecord, AuthorityStates, State, published, schedule};
use crate::IssueError;
use crate::jwt::JwtSigner;
use crate::x509::X509Signer;

/// The longest time between two looks at the books.
const MAX_SLEEP: Duration = Duration::from_hours(1);

/// The journal, the stored bundle and the keys, as they were read together; good for one step.
#[derive(Debug)]
pub(super) struct Books<'a> {
    pub(super) shelf: &'a Shelf,
    pub(super) journal: Journal,
    /// The journal as the store holds it, if it can be read.
    pub(super) recorded: Option<Journal>,
    pub(super) revision: Option<Revision>,
    /// The bundle as it was last read from the store.
    pub(super) bundle: Bundle,
    pub(super) keys: Vec<Arc<dyn Key>>,
}

/// What the time asks for.
pub(super) enum Due {
    Prepare,
    Activate,
}

impl Books<'_> {
    /// The authorities of a kind by their state.
    pub(super) fn states(&self, kind: AuthorityKind) -> AuthorityStates {
        let authority = |state| self.journal.authority(kind, state).map(AuthorityRecord::summary);
        AuthorityStates {
            active: authority(State::Active),
            prepared: authority(State::Prepared),
            old: authority(State::Old),
        }
    }

    /// Whether these are the active authorities.
    pub(super) fn sign_with(&self, active: &ActiveAuthorities) -> bool {
        let is_active = |kind, id: &str| {
            self.journal.authority(kind, State::Active).is_some_and(|record| record.id == id)
        };
        is_active(AuthorityKind::X509, active.x509.id()) && is_active(AuthorityKind::Jwt, active.jwt.id())
    }

    /// What signs now, if both kinds have an active authority.
    ///
    /// # Errors
    /// When the certificate of the X.509 authority cannot be read.
    pub(super) fn active(&self) -> Result<Option<ActiveAuthorities>, IssueError> {
        let active = |kind| {
            let record = self.journal.authority(kind, State::Active)?;
            Some((record, Arc::clone(self.key(record)?)))
        };
        let (Some((x509, x509_key)), Some((jwt, jwt_key))) =
            (active(AuthorityKind::X509), active(AuthorityKind::Jwt))
        else {
            return Ok(None);
        };
        Ok(Some(ActiveAuthorities {
            x509: X509Signer::new(x509_key, &x509.document, x509.starts_at()..x509.not_after)?,
            jwt: JwtSigner::new(jwt_key, jwt.id.clone(), jwt.not_after),
        }))
    }

    /// Says of each authority whose key is not of the kind that is configured that it goes on until it is replaced.
    pub(super) fn tell_other_kinds(&self) {
        for record in self.journal.authorities.iter().filter(|record| record.state != State::Old) {
            let configured = self.shelf.config.key_kind(record.kind);
            let Some(found) = self.key(record).map(|key| key.public_key().kind()) else { continue };
            if found != configured {
                tracing::info!(
                    authority_id = record.id,
                    key_type = ?found,
                    configured = ?configured,
                    "{} authority keeps the type of key that it was made with; the next one that is prepared has the \
                     configured type",
                    record.kind
                );
            }
        }
    }

    /// When to look again: at the next preparation, activation or pruning, and within the hour. At once for a kind that
    /// nothing signs, as when the clock leapt while these books were kept.
    pub(super) fn next_look(&self) -> SystemTime {
        let now = self.now();
        let rotations = AuthorityKind::ALL.into_iter().map(|kind| {
            let Some(active) = self.usable(kind, State::Active) else { return now };
            let prepared = self.usable(kind, State::Prepared);
            prepared.map_or(schedule::prepare_at(active), |next| schedule::activate_at(active, next))
        });
        let next = rotations.chain(published::next_prune(&self.bundle)).min().unwrap_or(now);
        next.clamp(now + Duration::from_secs(1), now + MAX_SLEEP)
    }

    pub(super) fn due(&self, kind: AuthorityKind) -> Option<Due> {
        let now = self.now();
        match (self.usable(kind, State::Active), self.usable(kind, State::Prepared)) {
            (None, None) => Some(Due::Prepare),
            (None, Some(_)) => Some(Due::Activate),
            (Some(active), None) => (now >= schedule::prepare_at(active)).then_some(Due::Prepare),
            (Some(active), Some(next)) => {
                (now >= schedule::activate_at(active, next)).then_some(Due::Activate)
            }
        }
    }

    /// Writes the journal, unless it is already written.
    pub(super) async fn record(&mut self) -> Result<(), IssueError> {
        if self.recorded.as_ref() != Some(&self.journal) {
            let revision = self.shelf.journal.put_journal(self.journal.to_bytes(), self.revision).await?;
            self.revision = Some(revision);
            self.recorded = Some(self.journal.clone());
        }
        Ok(())
    }

    /// Brings the stored bundle in line with the journal, and reads it back.
    pub(super) async fn publish(&mut self) -> Result<(), IssueError> {
        self.publish_beside(self.bundle.clone()).await
    }

    /// The same, with whatever else is in `bundle`.
    pub(super) async fn publish_beside(&mut self, bundle: Bundle) -> Result<(), IssueError> {
        let wanted = published::bundle(&self.journal, &bundle, self.now());
        if wanted != self.bundle {
            let prunes = published::next_prune(&self.bundle).is_some_and(|at| at <= self.now());
            if !prunes {
                return self.replace(wanted).await;
            }
            let shelf = self.shelf;
            shelf.meters.prune.timed(&shelf.clock, self.replace(wanted)).await?;
            shelf.meters.pruned.add();
        }
        Ok(())
    }

    async fn replace(&mut self, wanted: Bundle) -> Result<(), IssueError> {
        self.shelf.bundles.replace_bundle(wanted).await?;
        self.bundle = self.shelf.stored_bundle().await?;
        Ok(())
    }

    /// The authority in this state, if it is within its validity and its key is here.
    pub(super) fn usable(&self, kind: AuthorityKind, state: State) -> Option<&AuthorityRecord> {
        let record = self.journal.authority(kind, state)?;
        (record.is_valid(self.now()) && self.key(record).is_some()).then_some(record)
    }

    /// The key of an authority, if the key manager holds it.
    pub(super) fn key(&self, record: &AuthorityRecord) -> Option<&Arc<dyn Key>> {
        self.keys.iter().find(|key| key.id() == record.key_id && record.belongs_to(key.public_key()))
    }

    /// The time in whole seconds, as everything recorded here is.
    pub(super) fn now(&self) -> SystemTime {
        let since_epoch = self.shelf.clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs())
    }
}

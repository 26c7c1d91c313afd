//! The steps of an authority's life: prepared, activated, tainted, revoked.
//!
//! A step writes its decision into the journal, then makes keys and bundle follow. [`Books::keep`] finishes whatever
//! an earlier process left undone, so a crash between any two writes is healed by ordinary work.

use std::time::Duration;

use finial_daemon::go;
use finial_keys::Key;

use super::books::{Books, Due};
use super::journal::{Journal, Mark, Plan};
use super::{Authority, AuthorityKind, AuthorityRecord, Slot, State, published, schedule};
use crate::{IssueError, random, x509};

impl Books<'_> {
    /// Does everything that is due, and finishes what was left undone.
    ///
    /// # Errors
    /// Those of the store and of the keys. The next attempt goes on from wherever this one got to.
    pub(super) async fn keep(&mut self) -> Result<(), IssueError> {
        let now = self.now();
        let matters = |mark: &Mark| now < mark.not_after + schedule::KEEP_EXPIRED;
        self.journal.tainted.retain(matters);
        self.journal.revoked.retain(matters);
        self.record().await?;
        self.finish_revocations().await?;
        for kind in AuthorityKind::ALL {
            self.note_gap(kind);
            // At most: activate what was prepared before a long sleep, then prepare and activate, then prepare again.
            for _ in 0..4 {
                match self.due(kind) {
                    Some(Due::Prepare) => drop(self.prepare(kind).await?),
                    Some(Due::Activate) => self.rotate(kind).await?,
                    None => break,
                }
            }
        }
        self.publish().await
    }

    /// Says why an authority that should sign does not: nobody was there to replace it in time, or the clock went back.
    fn note_gap(&self, kind: AuthorityKind) {
        let now = self.now();
        let Some(active) = self.journal.authority(kind, State::Active).filter(|active| !active.is_valid(now))
        else {
            return;
        };
        let (authority_id, expired_at) = (&active.id, go::format_time(active.not_after));
        if now < active.not_after {
            tracing::warn!(
                authority_id,
                "{kind} authority is not valid yet by this clock: another takes its place"
            );
        } else {
            tracing::warn!(
                authority_id,
                expired_at,
                "{kind} authority expired while nobody looked after it: another takes its place, and who knows only this \
                 one must learn of it first"
            );
        }
    }

    /// Makes a new authority, records it and publishes it. One that was prepared before is given up.
    ///
    /// # Errors
    /// Those of the store and of the keys.
    pub(super) async fn prepare(&mut self, kind: AuthorityKind) -> Result<Authority, IssueError> {
        let shelf = self.shelf;
        shelf.meters.prepared(kind).timed(&shelf.clock, self.try_prepare(kind)).await
    }

    async fn try_prepare(&mut self, kind: AuthorityKind) -> Result<Authority, IssueError> {
        let plan = self.plan(kind);
        self.vacate(&plan);
        self.record().await?;
        let key = self.shelf.keys.generate(&plan.key_id, self.shelf.config.key_kind(kind)).await?;
        let prepared = self.make_authority(&plan, &*key).await?;
        let authority = prepared.summary();
        self.keys.retain(|held| held.id() != key.id());
        self.keys.push(key);
        self.journal.plans.retain(|plan| plan.kind != kind);
        self.journal.authorities.push(prepared);
        self.record().await?;
        self.publish().await?;
        tracing::info!(authority_id = authority.id, "{kind} authority prepared");
        Ok(authority)
    }

    /// Lets the prepared authority with this ID sign from now on.
    ///
    /// # Errors
    /// When it is not the prepared one, and [`IssueError::NotPublished`] when the store does not hold it.
    pub(super) async fn activate(&mut self, kind: AuthorityKind, id: &str) -> Result<Authority, IssueError> {
        match self.journal.authorities.iter().find(|record| record.kind == kind && record.id == id) {
            _ if id.is_empty() => Err(IssueError::NoAuthorityId),
            Some(record) if record.state == State::Prepared => {
                let authority = record.summary();
                self.rotate(kind).await?;
                Ok(authority)
            }
            Some(record) => Err(wrong_state("Prepared", "activated", record)),
            None => {
                let prepared = self.journal.authority(kind, State::Prepared);
                let expected = match prepared {
                    Some(prepared) => format!("prepared is `{}`", prepared.id),
                    None => "none is prepared".to_owned(),
                };
                Err(IssueError::UnexpectedAuthority { id: id.to_owned(), expected })
            }
        }
    }

    /// Marks an old authority in the bundle: what it signed is to be replaced.
    ///
    /// # Errors
    /// When it is not an old one.
    pub(super) async fn taint(&mut self, kind: AuthorityKind, id: &str) -> Result<Authority, IssueError> {
        let (authority, tainted) = self.retired(kind, id, "tainted")?;
        self.require_old(kind, id)?;
        if tainted {
            return Ok(authority);
        }
        self.journal.tainted.push(Mark { kind, id: id.to_owned(), not_after: authority.expires_at });
        self.record().await?;
        self.publish().await?;
        tracing::warn!(authority_id = id, "{kind} authority tainted");
        Ok(authority)
    }

    /// Takes a tainted authority out of the bundle and deletes its key: what it signed is no longer valid. A JWT key may
    /// be one that only the bundle still knows.
    ///
    /// # Errors
    /// When it is not an old one, or not tainted.
    pub(super) async fn revoke(&mut self, kind: AuthorityKind, id: &str) -> Result<Authority, IssueError> {
        let (authority, tainted) = self.retired(kind, id, "revoked")?;
        if kind == AuthorityKind::X509 {
            self.require_old(kind, id)?;
        }
        if !tainted {
            return Err(IssueError::Untainted { id: id.to_owned() });
        }
        self.journal.revoked.push(Mark { kind, id: id.to_owned(), not_after: authority.expires_at });
        self.record().await?;
        self.finish_revocations().await?;
        tracing::warn!(authority_id = id, "{kind} authority revoked");
        Ok(authority)
    }

    /// The prepared authority becomes active, once the bundle that holds it was read back from the store.
    async fn rotate(&mut self, kind: AuthorityKind) -> Result<(), IssueError> {
        let Some(prepared) = self.journal.authority(kind, State::Prepared).cloned() else {
            return Ok(());
        };
        self.publish().await?;
        self.bundle = self.shelf.stored_bundle().await?;
        if !published::holds(&self.bundle, &prepared) {
            return Err(IssueError::NotPublished { kind, id: prepared.id });
        }
        self.journal.rotate(kind);
        self.record().await?;
        let left = prepared.not_after.duration_since(self.now()).unwrap_or_default();
        self.shelf.meters.activated(kind).add();
        tracing::info!(authority_id = prepared.id, left_s = left.as_secs(), "{kind} authority activated");
        Ok(())
    }

    /// Takes revoked authorities out of the bundle, then their keys away, then their records.
    async fn finish_revocations(&mut self) -> Result<(), IssueError> {
        self.publish().await?;
        let is_revoked = |journal: &Journal, record: &AuthorityRecord| {
            journal.revoked.iter().any(|mark| mark.kind == record.kind && mark.id == record.id)
        };
        let revoked: Vec<_> = self
            .journal
            .authorities
            .iter()
            .filter(|record| is_revoked(&self.journal, record))
            .cloned()
            .collect();
        for record in revoked {
            if self.key(&record).is_some() {
                self.shelf.keys.delete(&record.key_id).await?;
                self.keys.retain(|key| key.id() != record.key_id);
            }
            self.journal.authorities.retain(|other| other != &record);
        }
        self.record().await
    }

    /// The slot and the key ID of the next authority. A key that the journal does not know is never replaced.
    fn plan(&self, kind: AuthorityKind) -> Plan {
        if let Some(plan) = self.journal.plan(kind) {
            return plan.clone();
        }
        let slot = self.journal.authority(kind, State::Active).map_or(Slot::A, |active| active.slot.other());
        let ours = self.journal.slot(kind, slot).filter(|record| {
            let held = self.keys.iter().find(|key| key.id() == record.key_id);
            held.is_none_or(|key| record.belongs_to(key.public_key()))
        });
        let key_id = match ours {
            Some(record) => record.key_id.clone(),
            None => self.free_key_id(kind.key_id(slot)),
        };
        Plan { kind, slot, key_id }
    }

    /// `base`, or the first of `base-2`, `base-3`, … that no key has.
    fn free_key_id(&self, base: &str) -> String {
        let is_free = |id: &String| self.keys.iter().all(|key| key.id() != id);
        let numbered = (2_u64..).map(|number| format!("{base}-{number}"));
        std::iter::once(base.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }

    /// Makes room for a plan. A prepared authority in its slot has signed nothing, and leaves the bundle as well.
    fn vacate(&mut self, plan: &Plan) {
        if let Some(prepared) = self.journal.authority(plan.kind, State::Prepared) {
            let mark = Mark { kind: plan.kind, id: prepared.id.clone(), not_after: prepared.not_after };
            self.journal.revoked.push(mark);
        }
        let stays = |record: &AuthorityRecord| {
            record.kind != plan.kind || (record.slot != plan.slot && record.state != State::Prepared)
        };
        self.journal.authorities.retain(stays);
        self.journal.plans.retain(|other| other.kind != plan.kind);
        self.journal.plans.push(plan.clone());
    }

    async fn make_authority(&self, plan: &Plan, key: &dyn Key) -> Result<AuthorityRecord, IssueError> {
        let config = &self.shelf.config;
        let issued_at = self.now();
        let not_after = issued_at + Duration::from_secs(config.ca_ttl.as_secs());
        let (id, document) = match plan.kind {
            AuthorityKind::X509 => {
                let id = config.trust_domain.id();
                let certificate =
                    x509::self_signed(key, &id, &config.ca_subject, issued_at, not_after).await?;
                (hex::encode(key.public_key().subject_key_id()), certificate)
            }
            AuthorityKind::Jwt => (random::key_id()?, key.public_key().spki_der().to_vec()),
        };
        let Plan { kind, slot, key_id } = plan.clone();
        Ok(AuthorityRecord { kind, slot, state: State::Prepared, key_id, id, issued_at, not_after, document })
    }

    /// An authority in the bundle that neither signs nor will, and whether it is tainted.
    fn retired(
        &self,
        kind: AuthorityKind,
        id: &str,
        verb: &'static str,
    ) -> Result<(Authority, bool), IssueError> {
        if id.is_empty() {
            return Err(IssueError::NoAuthorityId);
        }
        let record = self.journal.authorities.iter().find(|record| record.kind == kind && record.id == id);
        if let Some(record) = record.filter(|record| record.state != State::Old) {
            return Err(wrong_state("Old", verb, record));
        }
        published::find(&self.bundle, kind, id).ok_or_else(|| IssueError::UnexpectedAuthority {
            id: id.to_owned(),
            expected: format!("no {kind} authority in the bundle has it"),
        })
    }

    /// Refuses what is no longer in a slot: the bundle holds it until it expires, or until other servers revoke it.
    fn require_old(&self, kind: AuthorityKind, id: &str) -> Result<(), IssueError> {
        if self.journal.authorities.iter().any(|record| record.kind == kind && record.id == id) {
            return Ok(());
        }
        let expected = match self.journal.authority(kind, State::Old) {
            Some(old) => format!("old is `{}`", old.id),
            None => "none is old".to_owned(),
        };
        Err(IssueError::UnexpectedAuthority { id: id.to_owned(), expected })
    }
}

fn wrong_state(needed: &'static str, verb: &'static str, record: &AuthorityRecord) -> IssueError {
    let state = match record.state {
        State::Prepared => "prepared",
        State::Active => "active",
        State::Old => "old",
    };
    IssueError::WrongState { needed, verb, id: record.id.clone(), state }
}

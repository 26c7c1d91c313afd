//! Where the books are kept, and how they are read from any state that a crash, a loss or a restore left behind.

use std::sync::Arc;

use finial_daemon::Clock;
use finial_identity::{Bundle, ForeignChain};
use finial_keys::{Key, KeyManager};
use finial_store::{Bundles, Journal as JournalStore, JournalRecord};

use super::books::Books;
use super::journal::Journal;
use super::{AuthorityKind, AuthorityRecord, Slot, State};
use crate::{IssueConfig, IssueError, IssueMeters, x509};

/// The key manager and the two parts of the store that the authorities need.
pub(super) struct Shelf {
    pub(super) config: IssueConfig,
    pub(super) keys: Arc<dyn KeyManager>,
    pub(super) bundles: Arc<dyn Bundles>,
    pub(super) journal: Arc<dyn JournalStore>,
    pub(super) meters: IssueMeters,
    pub(super) clock: Clock,
}

impl Shelf {
    /// Reads the books. Nothing is written before [`Books::keep`].
    ///
    /// | found | then |
    /// |---|---|
    /// | nothing | the books are empty: authorities are made |
    /// | journal, but not its keys | those authorities become old, and stay published until they expire |
    /// | keys, but no journal | keys whose authority the bundle holds go on; the others are kept, and never replaced |
    /// | a journal that is damaged | the previous one; the damaged bytes are carried along |
    /// | a journal of a later version, or of another trust domain | an error, and nothing is touched |
    ///
    /// # Errors
    /// Those of the store and of the keys, [`IssueError::JournalFormat`] and [`IssueError::OtherTrustDomain`].
    pub(super) async fn open(&self) -> Result<Books<'_>, IssueError> {
        let stored = self.journal.journal().await?;
        let revision = stored.as_ref().map(|record| record.revision);
        let (journal, recorded) = match stored {
            Some(record) => self.read(&record).await?,
            None => (Journal::default(), Some(Journal::default())),
        };
        self.refuse_other_trust_domain(&journal)?;
        let bundle = self.stored_bundle().await?;
        let keys = self.keys.keys().await?;
        let mut books = Books { shelf: self, journal, recorded, revision, bundle, keys };
        if books.journal.authorities.is_empty() && books.journal.plans.is_empty() {
            books.journal.authorities = self.adopt(&books);
        }
        give_up_keyless(&mut books);
        Ok(books)
    }

    /// An authority of one trust domain in the bundle of another would be trusted for what it may not sign.
    fn refuse_other_trust_domain(&self, journal: &Journal) -> Result<(), IssueError> {
        let configured = self.config.trust_domain.id();
        let authorities = journal.authorities.iter().filter(|record| record.kind == AuthorityKind::X509);
        for record in authorities {
            // One that cannot be read is noticed when it is to sign.
            let Ok(chain) = ForeignChain::from_chain(vec![record.document.clone().into()]) else { continue };
            if let Some(found) = chain.uri_names().iter().find(|name| **name != configured.to_string()) {
                let (found, configured) = (found.clone(), configured.to_string());
                return Err(IssueError::OtherTrustDomain { found, configured });
            }
        }
        Ok(())
    }

    /// The bundle of our trust domain as the store holds it.
    pub(super) async fn stored_bundle(&self) -> Result<Bundle, IssueError> {
        let trust_domain = &self.config.trust_domain;
        Ok(self.bundles.bundle(trust_domain).await?.unwrap_or_else(|| Bundle::empty(trust_domain.clone())))
    }

    /// The journal to go by, and what the store holds if that is the same.
    async fn read(&self, newest: &JournalRecord) -> Result<(Journal, Option<Journal>), IssueError> {
        let problem = match Journal::parse(&newest.bytes) {
            Ok(journal) => return Ok((journal.clone(), Some(journal))),
            Err(damage) => damage.refuse_later()?,
        };
        let mut damaged = vec![newest.bytes.clone()];
        let mut journal = Journal::default();
        if let Some(previous) = self.journal.previous_journal().await? {
            match Journal::parse(&previous.bytes) {
                Ok(previous) => journal = previous,
                Err(damage) => {
                    damage.refuse_later()?;
                    damaged.insert(0, previous.bytes);
                }
            }
        }
        let revision = newest.revision;
        tracing::error!(
            revision,
            generations = damaged.len(),
            "journal of the authorities is damaged ({problem}): going on from the one before it, or from the keys; the \
             damaged bytes are kept in the field set_aside"
        );
        damaged.iter().for_each(|bytes| journal.set_aside(bytes));
        Ok((journal, None))
    }

    /// Authorities that can be taken up without a journal: the bundle holds them, and their keys are here. The oldest
    /// valid one of a kind signs, because it is surely known everywhere; a younger one comes after it.
    fn adopt(&self, books: &Books<'_>) -> Vec<AuthorityRecord> {
        let mut adopted = Vec::new();
        for kind in AuthorityKind::ALL {
            let mut found: Vec<_> = [Slot::A, Slot::B]
                .into_iter()
                .filter_map(|slot| {
                    let of_slot = books.keys.iter().filter(|key| key.id().starts_with(kind.key_id(slot)));
                    let records =
                        of_slot.filter_map(|key| self.published_record(&books.bundle, kind, slot, &**key));
                    records
                        .filter(|record| record.is_valid(books.now()))
                        .max_by_key(|record| record.not_after)
                })
                .collect();
            found.sort_by_key(|record| record.issued_at);
            for (record, state) in found.iter_mut().zip([State::Active, State::Prepared]) {
                tracing::warn!(
                    authority_id = record.id,
                    "{kind} authority taken up from the bundle: no journal knew it"
                );
                record.state = state;
            }
            adopted.append(&mut found);
        }
        adopted
    }

    fn published_record(
        &self,
        bundle: &Bundle,
        kind: AuthorityKind,
        slot: Slot,
        key: &dyn Key,
    ) -> Option<AuthorityRecord> {
        let (id, document, issued_at, not_after) = match kind {
            AuthorityKind::X509 => {
                let mut untainted =
                    bundle.x509_authorities.iter().filter(|authority| !authority.is_tainted());
                let found = untainted.find(|authority| authority.public_key() == Some(key.public_key()))?;
                let issued_at = found.not_before() + x509::BACKDATE;
                (found.subject_key_id_hex(), found.certificate().to_vec(), issued_at, found.not_after())
            }
            AuthorityKind::Jwt => {
                let mut untainted = bundle.jwt_authorities.iter().filter(|authority| !authority.tainted);
                let found = untainted.find(|authority| &authority.public_key == key.public_key())?;
                let not_after = found.expires_at?;
                let issued_at = not_after - self.config.ca_ttl;
                (found.key_id.clone(), found.public_key.spki_der().to_vec(), issued_at, not_after)
            }
        };
        let key_id = key.id().to_owned();
        Some(AuthorityRecord { kind, slot, state: State::Old, key_id, id, issued_at, not_after, document })
    }
}

/// Authorities whose keys are gone can sign no more. They stay published: what they signed is in use.
fn give_up_keyless(books: &mut Books<'_>) {
    let is_keyless = |record: &&AuthorityRecord| record.state != State::Old && books.key(record).is_none();
    let keyless: Vec<_> = books.journal.authorities.iter().filter(is_keyless).cloned().collect();
    for record in books.journal.authorities.iter_mut().filter(|record| keyless.contains(record)) {
        let AuthorityRecord { kind, id, key_id, .. } = &*record;
        tracing::warn!(
            authority_id = id,
            key_id,
            "{kind} authority has lost its key: it stays published, and signs no more"
        );
        record.state = State::Old;
    }
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf")
            .field("config", &self.config)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

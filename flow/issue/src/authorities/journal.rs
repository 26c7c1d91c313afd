//! The journal: what has been decided about the authorities, in our own versioned format.
//!
//! The stored bytes are one line with the format and a SHA-256 of the rest, then JSON. The store keeps the generation
//! before; when the newest one is damaged, that one is used, and the damaged bytes are carried along unread.

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{AuthorityKind, AuthorityRecord, Slot, State};
use crate::IssueError;

/// The format written here.
const FORMAT: u64 = 1;

/// The first word of a journal.
const MAGIC: &str = "finial-journal";

/// How many damaged generations are carried along; the oldest goes first.
const MAX_SET_ASIDE: usize = 4;

/// What has been decided. Decisions come first, and the keys and the bundle follow them: whatever a crash interrupts
/// is done when the journal is next read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    /// At most one for each slot, and one active and one prepared for each kind.
    pub(super) authorities: Vec<AuthorityRecord>,
    /// Slots whose next key is being made.
    pub(super) plans: Vec<Plan>,
    /// Authorities that the bundle marks as tainted.
    pub(super) tainted: Vec<Mark>,
    /// Authorities that the bundle must not hold.
    pub(super) revoked: Vec<Mark>,
    /// Damaged journals, in base64, for a person to look at.
    pub(super) set_aside: Vec<String>,
}

/// A key that is about to be made: whatever the key manager holds under this ID may be replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) kind: AuthorityKind,
    pub(super) slot: Slot,
    pub(super) key_id: String,
}

/// An authority that something was decided about, and when that no longer matters because it has expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    pub(super) kind: AuthorityKind,
    pub(super) id: String,
    #[serde(with = "seconds")]
    pub(super) not_after: SystemTime,
}

/// Why a stored journal cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// It is not what was written.
    Corrupt(&'static str),
    /// A later version wrote it.
    Format(u64),
}

impl Journal {
    /// The bytes to store.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "the journal has no maps and no fallible serializers")]
        let body = serde_json::to_vec(self).expect("a journal is JSON");
        let mut bytes = format!("{MAGIC} {FORMAT} {}\n", checksum(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Reads stored bytes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        let (header, body) = bytes
            .iter()
            .position(|&byte| byte == b'\n')
            .map(|end| (&bytes[..end], &bytes[end + 1..]))
            .ok_or(Damage::Corrupt("it has no header"))?;
        let header = str::from_utf8(header).map_err(|_| Damage::Corrupt("its header is not text"))?;
        let words: Vec<_> = header.split(' ').collect();
        let [MAGIC, format, sum] = words[..] else {
            return Err(Damage::Corrupt("its header is not that of a journal"));
        };
        match format.parse() {
            Ok(FORMAT) => {}
            Ok(later) if later > FORMAT => return Err(Damage::Format(later)),
            _ => return Err(Damage::Corrupt("its format is unknown")),
        }
        if sum != checksum(body) {
            return Err(Damage::Corrupt("its checksum is wrong"));
        }
        let journal: Self =
            serde_json::from_slice(body).map_err(|_| Damage::Corrupt("its content is malformed"))?;
        if AuthorityKind::ALL.iter().any(|&kind| journal.is_ambiguous(kind)) {
            return Err(Damage::Corrupt("it has two authorities in one place"));
        }
        Ok(journal)
    }

    /// The authority of a kind that is in `state`; the one with the latest end, when several are old.
    pub(super) fn authority(&self, kind: AuthorityKind, state: State) -> Option<&AuthorityRecord> {
        let candidates =
            self.authorities.iter().filter(|record| record.kind == kind && record.state == state);
        candidates.max_by_key(|record| record.not_after)
    }

    /// The authority in a slot.
    pub(super) fn slot(&self, kind: AuthorityKind, slot: Slot) -> Option<&AuthorityRecord> {
        self.authorities.iter().find(|record| record.kind == kind && record.slot == slot)
    }

    /// The plan for a kind, if its next key is being made.
    pub(super) fn plan(&self, kind: AuthorityKind) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.kind == kind)
    }

    /// Moves the active authority to old and the prepared one to active.
    pub(super) fn rotate(&mut self, kind: AuthorityKind) {
        for record in self.authorities.iter_mut().filter(|record| record.kind == kind) {
            record.state = match record.state {
                State::Prepared => State::Active,
                State::Active | State::Old => State::Old,
            };
        }
    }

    /// Keeps bytes that could not be read.
    pub(super) fn set_aside(&mut self, bytes: &[u8]) {
        let text = encode_base64(bytes);
        if !self.set_aside.contains(&text) {
            self.set_aside.push(text);
        }
        let surplus = self.set_aside.len().saturating_sub(MAX_SET_ASIDE);
        self.set_aside.drain(..surplus);
    }

    fn is_ambiguous(&self, kind: AuthorityKind) -> bool {
        let of_kind: Vec<_> = self.authorities.iter().filter(|record| record.kind == kind).collect();
        let count = |wanted: &dyn Fn(&AuthorityRecord) -> bool| {
            of_kind.iter().filter(|record| wanted(record)).count()
        };
        count(&|record| record.state == State::Active) > 1
            || count(&|record| record.state == State::Prepared) > 1
            || count(&|record| record.slot == Slot::A) > 1
            || count(&|record| record.slot == Slot::B) > 1
    }
}

/// Reads the bytes of a journal and writes them again; `None` when they are none. For tests of other crates.
#[cfg(feature = "testing")]
pub fn rewritten_journal(bytes: &[u8]) -> Option<Vec<u8>> {
    Journal::parse(bytes).ok().map(|journal| journal.to_bytes())
}

fn checksum(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

fn encode_base64(bytes: &[u8]) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Instants in JSON: whole seconds since 1970.
pub(super) mod seconds {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        instant: &SystemTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(instant.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SystemTime, D::Error> {
        let seconds = u64::deserialize(deserializer)?;
        UNIX_EPOCH
            .checked_add(Duration::from_secs(seconds))
            .ok_or_else(|| serde::de::Error::custom("an instant beyond all calendars"))
    }
}

/// Bytes in JSON: standard base64.
pub(super) mod base64 {
    use ::base64::Engine;
    use ::base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

impl Damage {
    /// What to do about it: a damaged journal can be done without, one of a later version cannot be judged.
    pub(super) fn refuse_later(self) -> Result<&'static str, IssueError> {
        match self {
            Self::Corrupt(problem) => Ok(problem),
            Self::Format(format) => Err(IssueError::JournalFormat { format, known: FORMAT }),
        }
    }
}

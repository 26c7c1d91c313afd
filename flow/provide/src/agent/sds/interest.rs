//! What one stream is about: the names asked for, and what its reader has under each.

use std::collections::BTreeMap;

use finial_identity::EntryId;
use finial_wire::{MAX_SECRET_NAMES, SecretContent};
use tonic::Status;

use super::content::{is_same, version};
use super::offer::{Found, Offer};
use super::settings::Settings;

#[derive(Debug, Default)]
pub(super) struct Interest {
    names: BTreeMap<String, Name>,
    /// Whether everything that there is is meant.
    is_in_all: bool,
}

#[derive(Debug)]
struct Name {
    /// Asked for by name, not as a part of everything.
    is_explicit: bool,
    has: Has,
}

/// What the reader has under a name.
#[derive(Debug)]
enum Has {
    /// Nothing that is known.
    Unknown,
    /// Something from an earlier stream: the version that it names, or none.
    Earlier(String),
    Content(SecretContent),
    /// The word that there is nothing.
    Absence,
}

/// What the reader of a stream is to be told.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) secrets: Vec<(String, SecretContent)>,
    /// What it does not know yet that there is not.
    pub(super) absent: Vec<String>,
    /// Of those, what it was asked for by name.
    pub(super) unknown: Vec<String>,
    /// Whether one of those was there before.
    pub(super) is_loss: bool,
    /// Whether an SVID is still to be issued.
    pub(super) is_pending: bool,
    /// The entries of all SVIDs that the reader is interested in.
    pub(super) svids: Vec<EntryId>,
}

impl Interest {
    /// These names and no others from now on, and everything if that is meant.
    pub(super) fn replace(
        &mut self,
        names: Vec<String>,
        is_in_all: bool,
        holds_earlier: bool,
    ) -> Result<(), Status> {
        let mut before = std::mem::take(&mut self.names);
        self.is_in_all = is_in_all;
        for name in names {
            let has = match before.remove(&name) {
                Some(known) => known.has,
                None if holds_earlier => Has::Earlier(String::new()),
                None => Has::Unknown,
            };
            self.names.insert(name, Name { is_explicit: true, has });
        }
        if is_in_all {
            before.values_mut().for_each(|name| name.is_explicit = false);
            self.names.extend(before);
        }
        self.check()
    }

    /// Everything, whatever it will be.
    pub(super) fn subscribe_to_all(&mut self) {
        self.is_in_all = true;
    }

    /// These names in addition. They are sent again, even if the reader has them: it may have dropped them.
    pub(super) fn subscribe(&mut self, names: Vec<String>) -> Result<(), Status> {
        let name = |name| (name, Name { is_explicit: true, has: Has::Unknown });
        self.names.extend(names.into_iter().map(name));
        self.check()
    }

    /// These names no longer.
    pub(super) fn unsubscribe(&mut self, names: &[String]) {
        for name in names {
            if name == "*" {
                self.is_in_all = false;
                self.names.retain(|_, name| name.is_explicit);
            }
            self.names.remove(name);
        }
    }

    /// The reader has these versions from an earlier stream.
    pub(super) fn holds(&mut self, held: BTreeMap<String, String>) -> Result<(), Status> {
        for (name, version) in held {
            let is_explicit = match self.names.get(&name) {
                Some(known) => known.is_explicit,
                None if self.is_in_all => false,
                None => continue,
            };
            self.names.insert(name, Name { is_explicit, has: Has::Earlier(version) });
        }
        self.check()
    }

    /// What of the offer is news to the reader.
    pub(super) fn due(&mut self, offer: &Offer, settings: &Settings) -> Result<Due, Status> {
        if self.is_in_all {
            for name in offer.names() {
                self.names.entry(name).or_insert(Name { is_explicit: false, has: Has::Unknown });
            }
        }
        let mut due = Due::default();
        for (name, known) in &mut self.names {
            match offer.find(name, settings)? {
                Found::Bundles(content) => known.compare(name, content, &mut due),
                Found::Svid(entry, credential) => {
                    due.svids.push(entry);
                    match credential {
                        Some(credential) => {
                            known.compare(name, SecretContent::Credential(credential), &mut due);
                        }
                        None => due.is_pending = true,
                    }
                }
                Found::Nothing => match offer.instead_of(name).filter(|_| known.has.is_something()) {
                    Some(nobody) => known.compare(name, nobody, &mut due),
                    None => known.miss(name, &mut due),
                },
            }
        }
        Ok(due)
    }

    /// The reader has been told.
    pub(super) fn told(&mut self, due: &Due) {
        for (name, content) in &due.secrets {
            if let Some(known) = self.names.get_mut(name) {
                known.has = Has::Content(content.clone());
            }
        }
        for name in &due.absent {
            if self.names.get(name).is_some_and(|known| !known.is_explicit) {
                self.names.remove(name);
            } else if let Some(known) = self.names.get_mut(name) {
                known.has = Has::Absence;
            }
        }
    }

    fn check(&self) -> Result<(), Status> {
        let count = self.names.len();
        if count > MAX_SECRET_NAMES {
            return Err(Status::resource_exhausted(format!(
                "the stream is about {count} secrets; at most {MAX_SECRET_NAMES} are allowed, open another one"
            )));
        }
        Ok(())
    }
}

impl Name {
    fn compare(&mut self, name: &str, content: SecretContent, due: &mut Due) {
        let is_known = match &self.has {
            Has::Content(known) => is_same(known, &content),
            Has::Earlier(known) => *known == version(&content),
            Has::Unknown | Has::Absence => false,
        };
        if is_known {
            // Later it is compared without its version.
            self.has = Has::Content(content);
        } else {
            due.secrets.push((name.to_owned(), content));
        }
    }

    fn miss(&self, name: &str, due: &mut Due) {
        if !matches!(self.has, Has::Absence) {
            due.absent.push(name.to_owned());
        }
        if self.is_explicit {
            due.unknown.push(name.to_owned());
            due.is_loss |= matches!(self.has, Has::Content(_));
        }
    }
}

impl Has {
    fn is_something(&self) -> bool {
        matches!(self, Self::Earlier(_) | Self::Content(_))
    }
}

//! Taking X.509-SVIDs into service, and out of it.

use finial_wire::retry_after;

use super::Owner;
use crate::agent::issuance::{Batch, Checked};
use crate::agent::rotation::is_same_revision;

/// Why an SVID that serves is asked for again.
const TAINTED: &str = "the server signs with an authority that is tainted";

impl Owner {
    /// Takes a batch that came back from the server.
    pub(super) fn issued(&mut self, batch: Batch) {
        self.rotation.end(&batch.entries);
        match batch.issued {
            Ok(checked) => {
                self.rotation.call_succeeded();
                checked.into_iter().for_each(|checked| self.install(checked));
            }
            Err(status) => {
                let error = status.message();
                self.rotation.call_failed(&batch.entries, error, retry_after(&status), self.moment());
                tracing::warn!(error, "a batch of SVIDs could not be issued; trying again");
            }
        }
    }

    fn install(&mut self, checked: Checked) {
        let Checked { entry, credential, stands } = checked;
        let current = self.next.entries.entry(&entry.id);
        let Some(current) = current.filter(|current| current.spiffe_id == entry.spiffe_id) else {
            // The entry went, or became another identity, while its SVID was on the way.
            return;
        };
        if !self.rotation.has_place(&entry.id) {
            return;
        }
        let is_outdated = !is_same_revision(current, &entry);
        let now = self.moment();
        match credential {
            Ok(credential) => {
                tracing::debug!(entry.id = %entry.id, spiffe_id = %entry.spiffe_id, "received an X.509-SVID");
                self.rotation.install(&entry, credential, now.wall);
                self.is_dirty = true;
            }
            Err(error) => {
                tracing::warn!(entry.id = %entry.id, spiffe_id = %entry.spiffe_id, error, "got no X.509-SVID");
                self.rotation.refuse(&entry.id, &error, now);
                // The server may know more than this agent: an authority, or that the entry is gone.
                self.schedule.suspect(now.monotonic);
                return;
            }
        }
        if !stands {
            // It serves until there is a better one; how soon that is, is for the server's administrator.
            self.rotation.refuse(&entry.id, TAINTED, now);
        } else {
            self.rotation.accept(&entry.id);
        }
        if !stands || is_outdated {
            self.rotation.distrust(std::slice::from_ref(&entry.id));
        }
    }

    /// Takes out of service what has expired.
    pub(super) fn drop_expired(&mut self) {
        for entry in self.rotation.drop_expired(self.clock.now()) {
            tracing::warn!(entry.id = %entry.id, spiffe_id = %entry.spiffe_id, "an X.509-SVID expired unrenewed");
            self.is_dirty = true;
        }
    }
}

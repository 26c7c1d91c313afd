//! Taking bundles: what changed, what may not come back, and what must be issued again because of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use finial_identity::{Bundle, EntryId, TrustDomain, X509Credential};
use futures_util::future::join_all;
use tonic::{Code, Status};

use super::Owner;
use crate::agent::admission::{Anchors, withdraws};

/// In how many parts the SVIDs of an agent are checked at a time.
const PARTS: usize = 4;

impl Owner {
    /// Takes the trust domain's bundle, and has issued again what a withdrawn authority signed.
    pub(super) async fn take_bundle(&mut self, bundle: Bundle) {
        let held = self.sequence_number;
        if held.is_some_and(|held| bundle.sequence_number < held) && bundle != *self.next.bundle {
            let offered = bundle.sequence_number;
            tracing::warn!(
                held,
                offered,
                "the server offers an older bundle than before; kept the newer one"
            );
            return;
        }
        self.sequence_number = Some(bundle.sequence_number);
        if bundle == *self.next.bundle {
            return;
        }
        let is_withdrawal = withdraws(&self.next.bundle, &bundle);
        self.next.bundle = Arc::new(bundle);
        self.is_dirty = true;
        if is_withdrawal {
            self.replace_what_lost_its_authority().await;
        }
    }

    async fn replace_what_lost_its_authority(&mut self) {
        let anchors = Anchors::of(&self.next.bundle);
        let (now, began) = (self.clock.now(), self.clock.monotonic());
        let held = self.rotation.credentials().map(|(id, held)| (id.clone(), Arc::clone(held)));
        let held: Vec<_> = held.collect();
        // In parts, so that a change which concerns thousands is felt by all processors.
        let parts = held.chunks(held.len().div_ceil(PARTS).max(1)).map(|part| {
            let (part, anchors) = (part.to_vec(), anchors.clone());
            tokio::task::spawn_blocking(move || lost(part, &anchors, now))
        });
        let mut svids = 0;
        for lost in join_all(parts).await {
            match lost {
                Ok(lost) => {
                    svids += lost.len();
                    self.rotation.distrust(&lost);
                }
                Err(error) => {
                    tracing::error!(%error, "the search for what a withdrawn authority signed failed");
                }
            }
        }
        self.meters.tainted_x509.note(svids, self.clock.monotonic().saturating_sub(began));
        tracing::info!(svids, "an authority was withdrawn; renewing what it signed");
    }

    /// Takes the bundles of other trust domains: unchanged ones stay the same in memory, absent ones go, and one
    /// that could not be asked for stays as it was.
    pub(super) fn take_federated(&mut self, answers: HashMap<TrustDomain, Result<Bundle, Status>>) {
        let held = &self.next.federated;
        let take = |(trust_domain, answer): (TrustDomain, Result<Bundle, Status>)| {
            let before = held.get(&trust_domain).cloned();
            let bundle = match answer {
                Ok(bundle) => before.filter(|held| **held == bundle).unwrap_or_else(|| Arc::new(bundle)),
                Err(status) if status.code() == Code::NotFound => return None,
                Err(status) => {
                    let error = status.message();
                    tracing::warn!(%trust_domain, error, "a federated bundle could not be fetched; kept the last");
                    before?
                }
            };
            Some((trust_domain, bundle))
        };
        let federated: BTreeMap<_, _> = answers.into_iter().filter_map(take).collect();
        if federated != **held {
            self.next.federated = Arc::new(federated);
            self.is_dirty = true;
        }
    }
}

/// The entries whose SVIDs no longer lead to an authority that stands.
fn lost(held: Vec<(EntryId, Arc<X509Credential>)>, anchors: &Anchors, now: SystemTime) -> Vec<EntryId> {
    let lost = held.into_iter().filter(|(_, credential)| !anchors.hold(credential.svid(), now));
    lost.map(|(id, _)| id).collect()
}

//! The task that owns the agent's identity while it runs: renews it, follows the bundle, judges denials, and attests
//! again where it can.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Backoff, Drain, jitter};
use finial_identity::X509Svid;
use finial_provide::Cache;
use finial_wire::{AgentDenial, agent_denial};
use tonic::Status;

use crate::evidence::{problem, retry_in};
use crate::identity::{Identity, holds};
use crate::loss::{Loss, Verdict};
use crate::meters::timed;
use crate::rebootstrap::Rebootstrap;

/// Of the half life at which an SVID is renewed, so that agents that joined together do not come back together.
const SPREAD: f64 = 0.1;
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// An agent that has to attest again this soon after it did so has a rival.
const DUEL: Duration = Duration::from_mins(10);

/// Keeps the identity until the drain.
///
/// # Errors
/// The [`Loss`] of an identity that cannot be had back. The stored SVID is then gone.
pub(crate) async fn keep(
    identity: Identity,
    cache: Cache,
    rebootstrap: Rebootstrap,
    drain: Drain,
) -> Result<(), Loss> {
    let mut keeper = Keeper::new(identity, cache, rebootstrap);
    let loss = tokio::select! {
        biased;
        () = drain.requested() => return Ok(()),
        loss = keeper.run() => loss,
    };
    keeper.identity.give_up(&loss.to_string()).await;
    Err(loss)
}

struct Keeper {
    identity: Identity,
    cache: Cache,
    rebootstrap: Rebootstrap,
    renew_at: SystemTime,
    backoff: Backoff,
    /// When the agent attested again because it had to, and how long to wait should it have to soon after.
    recovery: (Option<SystemTime>, Backoff),
}

/// What made the keeper look up.
enum Event {
    Expired,
    RenewalDue,
    Estranged,
    Snapshot,
    Sync,
}

impl Keeper {
    fn new(identity: Identity, cache: Cache, rebootstrap: Rebootstrap) -> Self {
        let renew_at = renewal_time(identity.svid(), identity.svid().not_before());
        let backoff = || Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        Self { identity, cache, rebootstrap, renew_at, backoff: backoff(), recovery: (None, backoff()) }
    }

    /// Ends only with the loss of the identity.
    async fn run(&mut self) -> Loss {
        let (mut snapshots, mut syncs) = (self.cache.subscribe(), self.cache.state());
        let clock = self.identity.clock().clone();
        loop {
            let event = tokio::select! {
                biased;
                () = clock.sleep_until(self.identity.expires_at()) => Event::Expired,
                () = clock.sleep_until(self.renew_at) => Event::RenewalDue,
                () = self.rebootstrap.due() => Event::Estranged,
                Ok(()) = snapshots.changed() => Event::Snapshot,
                Ok(()) = syncs.changed() => Event::Sync,
            };
            let handled = match event {
                Event::Expired => self.outlive().await,
                Event::RenewalDue => self.renew().await.map_err(|denial| self.denied(denial)),
                Event::Estranged => self.find_back().await,
                Event::Snapshot => self.follow_bundle().await.map_err(|denial| self.denied(denial)),
                Event::Sync => {
                    self.save().await;
                    let failure = syncs.borrow_and_update().failure.clone();
                    self.judge(failure).await.map_err(|denial| self.denied(denial))
                }
            };
            if let Err(loss) = handled
                && let Err(loss) = self.recover(loss).await
            {
                return loss;
            }
        }
    }

    /// Goes on with what the disk did not take, if there is such an SVID.
    async fn outlive(&mut self) -> Result<(), Loss> {
        self.identity.use_spare().await.map_err(|_| self.expired())?;
        self.renewed();
        Ok(())
    }

    fn expired(&self) -> Loss {
        let (id, at) = (self.identity.id().clone(), self.identity.expires_at());
        match self.rebootstrap.hopeless_since() {
            Some(since) => Loss::Estranged { trust_domain: id.trust_domain(), since },
            None => Loss::Expired { id, at },
        }
    }

    fn denied(&self, denial: AgentDenial) -> Loss {
        Loss::denied(self.identity.id().clone(), denial, self.identity.has_evidence())
    }

    /// Attests again with what the node has, however long the server takes. Workloads keep what they have, and are
    /// served what is in the cache.
    async fn recover(&mut self, loss: Loss) -> Result<(), Loss> {
        let is_final = matches!(loss, Loss::Banned { .. } | Loss::Estranged { .. });
        if is_final || !self.identity.has_evidence() {
            return Err(loss);
        }
        let (cause, id) = (loss.cause(), self.identity.id());
        tracing::warn!(spiffe_id = %id, "the agent has lost its identity, since {cause}; attesting again");
        self.pause_before_recovery().await;
        self.identity.go_anonymous();
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        while let Err(error) = self.identity.reattest().await {
            if let Some(status) = error.downcast_ref::<Status>() {
                let id = self.identity.id().clone();
                match Verdict::on(status) {
                    Verdict::Denied(AgentDenial::Banned) => return Err(Loss::Banned { id }),
                    Verdict::Denied(_) | Verdict::Refused => {
                        return Err(Loss::refused(id.trust_domain(), self.identity.kind(), status.clone()));
                    }
                    Verdict::Passing => {}
                }
            }
            let (wait, error) = (retry_in(&mut backoff, &error), problem(&error));
            tracing::warn!(
                error,
                retry_in_s = wait.as_secs_f32(),
                "the agent cannot attest again yet; trying again"
            );
            self.pause(wait).await;
        }
        self.recovery.0 = Some(self.identity.clock().now());
        self.renewed();
        Ok(())
    }

    /// Waits before another attempt, and looks for a newer bundle when it is time for that.
    async fn pause(&mut self, wait: Duration) {
        tokio::select! {
            () = self.identity.clock().sleep(wait) => {}
            () = self.rebootstrap.due() => {
                let found = self.rebootstrap.look(self.identity.bundle(), self.identity.dialer()).await;
                if let Some(bundle) = found {
                    self.identity.trust(bundle);
                }
            }
        }
    }

    /// Two agents with the same evidence push each other out. They take longer each time, so that it stays bearable
    /// until somebody stops one of them.
    async fn pause_before_recovery(&mut self) {
        let (last, backoff) = &mut self.recovery;
        let clock = self.identity.clock();
        let since = last.map(|last| clock.now().duration_since(last).unwrap_or_default());
        match since {
            Some(since) if since < DUEL => clock.sleep(backoff.next()).await,
            _ => backoff.reset(),
        }
    }

    /// The server is shown the new SVID at once, which is what makes it the agent's.
    fn renewed(&mut self) {
        self.renew_at = renewal_time(self.identity.svid(), self.identity.clock().now());
        self.backoff.reset();
        self.cache.sync_now();
        let id = self.identity.id();
        tracing::info!(spiffe_id = %id, "the agent's own SVID was renewed");
    }

    async fn renew(&mut self) -> Result<(), AgentDenial> {
        let (meters, clock) = (self.identity.meters().clone(), self.identity.clock().clone());
        let Err(error) = timed(&meters.rotate, &clock, self.identity.renew()).await else {
            self.renewed();
            return Ok(());
        };
        let now = self.identity.clock().now();
        let left = self.identity.expires_at().duration_since(now).unwrap_or_default();
        // Whatever the server says: there is time for another attempt before the end.
        let wait = retry_in(&mut self.backoff, &error).min((left / 2).max(FIRST_RETRY));
        self.renew_at = now + wait;
        if let Some(denial) = error.downcast_ref::<Status>().and_then(agent_denial) {
            return self.confirm(denial).await;
        }
        let error = problem(&error);
        tracing::warn!(
            error,
            retry_in_s = wait.as_secs_f32(),
            "the agent's own SVID was not renewed; trying again"
        );
        // A server whose new authority is not in the bundle yet is understood after the next sync.
        self.cache.sync_now();
        if self.may_be_unwanted() {
            self.identity.go_anonymous();
        }
        Ok(())
    }

    /// Whether the server may have closed the door on this SVID, whose authority is withdrawn or unknown by now, to an
    /// agent that can do without it: what it has to show is heard from anybody.
    fn may_be_unwanted(&self) -> bool {
        let identity = &self.identity;
        let can_reattest = identity.can_reattest() && identity.has_evidence();
        can_reattest && !holds(identity.svid(), identity.bundle(), identity.clock().now())
    }

    /// Looks for a newer bundle. An SVID that is of it goes on: nothing but the bundle was missing. Any other is lost, and
    /// what the node has is shown to servers of the newer bundle.
    async fn find_back(&mut self) -> Result<(), Loss> {
        let found = self.rebootstrap.look(self.identity.bundle(), self.identity.dialer()).await;
        let Some(bundle) = found else { return Ok(()) };
        if !self.identity.fits(&bundle) {
            if self.identity.has_evidence() {
                self.identity.trust(bundle);
            }
            return Err(Loss::Replaced { id: self.identity.id().clone() });
        }
        if let Err(error) = self.identity.adopt(&bundle).await {
            let error: &(dyn std::error::Error + 'static) = error.as_ref();
            tracing::warn!(error, "the newly fetched trust bundle was not stored");
        }
        tracing::warn!("no server could be verified; from now on the newly fetched trust bundle is used");
        self.cache.sync_now();
        Ok(())
    }

    /// Tries again what the disk did not take. It was told of at first.
    async fn save(&mut self) {
        if let Err(error) = self.identity.save().await {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::debug!(error, "the agent's identity is still not stored");
        }
    }

    async fn follow_bundle(&mut self) -> Result<(), AgentDenial> {
        let snapshot = self.cache.snapshot();
        let (newest, current) = (snapshot.bundle(), self.identity.bundle());
        // After a renewal the agent may be ahead of its cache.
        let is_known = Arc::ptr_eq(newest, current) || newest.sequence_number < current.sequence_number;
        if !snapshot.is_synced() || is_known {
            return Ok(());
        }
        if let Err(error) = self.identity.adopt(snapshot.bundle()).await {
            let error: &(dyn std::error::Error + 'static) = error.as_ref();
            tracing::warn!(error, "the server's new bundle does not fit the agent's SVID, or was not stored");
        }
        if holds(self.identity.svid(), snapshot.bundle(), self.identity.clock().now()) {
            return Ok(());
        }
        tracing::info!("the authority of the agent's own SVID is being withdrawn; renewing");
        self.renew().await
    }

    async fn judge(&mut self, failure: Option<Status>) -> Result<(), AgentDenial> {
        match failure.as_ref().and_then(agent_denial) {
            Some(denial) => self.confirm(denial).await,
            None => Ok(()),
        }
    }

    /// A call that was on its way while the SVID was renewed is denied because the one before is no longer active.
    /// So what counts is what the server says to the SVID in use.
    async fn confirm(&mut self, denial: AgentDenial) -> Result<(), AgentDenial> {
        if denial == AgentDenial::MustReattest {
            return Err(denial);
        }
        match self.identity.post_status().await {
            Err(status) => match Verdict::on(&status) {
                Verdict::Denied(denial) => Err(denial),
                Verdict::Refused | Verdict::Passing => Ok(()),
            },
            Ok(()) => Ok(()),
        }
    }
}

/// Half of the life that an SVID has after `start`, spread. Its NotBefore lies before its issuance, by more than a short
/// life lasts: one that was just received starts now. By a clock that is behind the server's it then has more left than
/// it was ever given.
fn renewal_time(svid: &X509Svid, start: SystemTime) -> SystemTime {
    let until_end = |start| svid.not_after().duration_since(start).unwrap_or_default();
    let life = until_end(start).min(until_end(svid.not_before()));
    start + jitter(life / 2, SPREAD)
}

#[cfg(test)]
mod tests;

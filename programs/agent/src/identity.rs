//! The agent's own identity: one owner for SVID, key, bundle, their storage, and the channels made with them.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use finial_attest::NodeEvidenceSource;
use finial_daemon::Clock;
use finial_identity::{
    Bundle, BundleSet, CLOCK_SKEW, CertificateRequest, PrivateKey, Role, SpiffeId, X509Credential, X509Svid,
};
use finial_receive::{Source, SourceWriter, X509Context};
use finial_wire::client::{AgentClient, BundleClient};
use tokio::sync::watch;
use tonic::Status;
use tonic::transport::Channel;

use crate::channel::{Dialer, answer, problem};
use crate::evidence;
use crate::keys::AgentKeys;
use crate::meters::IdentityMeters;
use crate::storage::{Storage, Stored};

/// What the server is told about this agent.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where an identity is kept and published.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) keys: AgentKeys,
    pub(crate) storage: Storage,
    pub(crate) stored: Stored,
    pub(crate) writer: SourceWriter,
    pub(crate) source: Source,
    pub(crate) dialer: Dialer,
    /// What the node can show again and again.
    pub(crate) evidence: Option<Box<dyn NodeEvidenceSource>>,
    pub(crate) meters: IdentityMeters,
    pub(crate) clock: Clock,
}

/// The identity of this agent. What is in use is always proven against the bundle beside it; and stored, unless the disk
/// does not take it and without it the identity would be lost all the same.
#[derive(Debug)]
pub(crate) struct Identity {
    home: Home,
    credential: X509Credential,
    bundle: Arc<Bundle>,
    channels: watch::Sender<Channel>,
    /// Whether what is to be stored is not yet.
    is_unsaved: bool,
    /// What the server gave last and the disk did not take. The server goes by the SVID before until it sees this one.
    spare: Option<Next>,
}

/// An SVID that is not in use yet, and what goes with it.
#[derive(Debug)]
struct Next {
    credential: X509Credential,
    bundle: Arc<Bundle>,
    can_reattest: bool,
    /// Whether the next start finds its key.
    has_kept_key: bool,
    /// Whether the SVID before is worth nothing any more.
    is_all_there_is: bool,
}

impl Home {
    /// Forgets the SVID, so that the next start does not try it again. The bundle is still good.
    pub(crate) async fn forget(&mut self) {
        self.stored.svid = None;
        if let Err(error) = self.storage.save(&self.stored).await {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(error, "the refused SVID could not be removed; the next start tries it once more");
        }
    }

    /// Proves that credential and bundle belong together.
    pub(crate) fn prove(&self, credential: &X509Credential, bundle: &Arc<Bundle>) -> anyhow::Result<()> {
        X509Context::new(vec![credential.clone()], only(bundle), self.clock.now())?;
        Ok(())
    }
}

impl Identity {
    /// Takes up a credential that is stored: publishes it, and makes the first channel with it.
    ///
    /// # Errors
    /// When credential and bundle do not belong together, or the SVID has expired.
    pub(crate) fn take_up(
        home: Home,
        credential: X509Credential,
        bundle: Arc<Bundle>,
    ) -> anyhow::Result<Self> {
        home.writer.publish(vec![credential.clone()], only(&bundle))?;
        let channels = watch::Sender::new(home.dialer.channel());
        Ok(Self { home, credential, bundle, channels, is_unsaved: false, spare: None })
    }

    pub(crate) fn id(&self) -> &SpiffeId {
        self.svid().id()
    }

    pub(crate) fn svid(&self) -> &X509Svid {
        self.credential.svid()
    }

    pub(crate) fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The identity as others may use it.
    pub(crate) fn source(&self) -> Source {
        self.home.source.clone()
    }

    pub(crate) fn meters(&self) -> &IdentityMeters {
        &self.home.meters
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.home.clock
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.home.dialer
    }

    /// Whether the server said that this agent may attest again, by itself.
    pub(crate) fn can_reattest(&self) -> bool {
        self.home.stored.can_reattest
    }

    /// Whether the SVID verifies against a bundle.
    pub(crate) fn fits(&self, bundle: &Arc<Bundle>) -> bool {
        self.home.prove(&self.credential, bundle).is_ok()
    }

    /// The newest channel, now and after each renewal.
    pub(crate) fn channels(&self) -> watch::Receiver<Channel> {
        self.channels.subscribe()
    }

    /// When the SVID can no longer be used.
    pub(crate) fn expires_at(&self) -> SystemTime {
        self.svid().not_after()
    }

    /// Tells the server that this agent is there, which also asks whether the server still knows it.
    pub(crate) async fn post_status(&self) -> Result<(), Status> {
        let client = AgentClient::new(self.channels.borrow().clone());
        answer(self.clock(), client.post_status(VERSION)).await
    }

    /// Whether the node can attest again.
    pub(crate) fn has_evidence(&self) -> bool {
        self.home.evidence.is_some()
    }

    /// How the node attests.
    pub(crate) fn kind(&self) -> &str {
        self.home.evidence.as_ref().map_or("join_token", |evidence| evidence.kind())
    }

    /// Gets the next SVID, for a new key, by whichever way the server wants.
    ///
    /// # Errors
    /// The server's refusal as a [`Status`] in the chain, or what went wrong here. The SVID in use stays in use.
    pub(crate) async fn renew(&mut self) -> anyhow::Result<()> {
        if self.can_reattest() && self.has_evidence() {
            return self.reattest().await;
        }
        let next = match self.take_spare() {
            None => {
                let (key, has_kept_key) = self.next_key().await?;
                self.ask_for_next(key, has_kept_key).await?
            }
            // Its key is in the one slot that there is for the next.
            Some(spare) if spare.has_kept_key => spare,
            Some(spare) => match self.home.keys.next(Some(self.svid().public_key())).await {
                // Another one would be no better, and the server goes by the one that it gave last.
                Err(_) => spare,
                Ok(key) => match self.ask_for_next(key, true).await {
                    Ok(next) => next,
                    // The answer may have been lost, and with it what the spare was good for.
                    Err(error) if self.post_status().await.is_ok() => return Err(error),
                    Err(_) => spare,
                },
            },
        };
        self.replace(next).await
    }

    /// The SVID in use has ended: whatever the server gave last is used now.
    ///
    /// # Errors
    /// When there is none, or it has ended too.
    pub(crate) async fn use_spare(&mut self) -> anyhow::Result<()> {
        let spare = self.take_spare().context("there is no other SVID")?;
        self.replace(Next { is_all_there_is: true, ..spare }).await
    }

    /// The bundle may have changed since it was spared.
    fn take_spare(&mut self) -> Option<Next> {
        let spare = self.spare.take()?;
        Some(Next { bundle: Arc::clone(&self.bundle), ..spare })
    }

    async fn ask_for_next(&self, key: PrivateKey, has_kept_key: bool) -> anyhow::Result<Next> {
        let request = CertificateRequest::create(&key, None)?;
        let client = AgentClient::new(self.channels.borrow().clone());
        let svid = answer(self.clock(), client.renew_agent(request)).await?;
        anyhow::ensure!(svid.id() == self.id(), "the server renewed {} as {}", self.id(), svid.id());
        Ok(Next {
            credential: X509Credential::new(svid, key, String::new())?,
            bundle: Arc::clone(&self.bundle),
            can_reattest: self.can_reattest(),
            has_kept_key,
            is_all_there_is: false,
        })
    }

    /// Attests again. The ID may be another one afterwards: a certificate that was renewed may make another agent.
    ///
    /// # Errors
    /// As [`renew`](Self::renew), or why the node has nothing to show.
    pub(crate) async fn reattest(&mut self) -> anyhow::Result<()> {
        let (key, has_kept_key) = self.next_key().await?;
        let (trust_domain, clock) = (self.id().trust_domain(), self.home.clock.clone());
        let channel = self.channels.borrow().clone();
        let evidence = self.home.evidence.as_deref_mut().context("this node has nothing to attest with")?;
        let shown = evidence::show(evidence, &key, &trust_domain, &channel, &clock).await?;
        // From here on the SVID in use is worth nothing. The new one may be by an authority that was not known yet.
        let bundle = answer(&clock, BundleClient::new(channel).bundle()).await.ok();
        let bundle = bundle.filter(|bundle| bundle.trust_domain == trust_domain && *bundle != *self.bundle);
        let bundle = bundle.map_or_else(|| Arc::clone(&self.bundle), Arc::new);
        let (credential, can_reattest) = (shown.credential, shown.can_reattest);
        self.replace(Next { credential, bundle, can_reattest, has_kept_key, is_all_there_is: true }).await?;
        if let Err(status) = self.post_status().await {
            tracing::warn!(error = problem(&status), "the server did not take note of the agent's version");
        }
        Ok(())
    }

    /// A key, and whether the next start finds it.
    async fn next_key(&self) -> anyhow::Result<(PrivateKey, bool)> {
        let in_use = Some(self.svid().public_key());
        if self.can_do_without_disk() || self.is_being_withdrawn() {
            return self.home.keys.next_or_passing(in_use).await;
        }
        Ok((self.home.keys.next(in_use).await?, true))
    }

    /// Whether what is on the disk counts for little: the node can attest again, or the SVID there is about to end, and with
    /// it an identity that a token brought.
    fn can_do_without_disk(&self) -> bool {
        (self.can_reattest() && self.has_evidence()) || has_little_left(self.svid(), self.clock().now())
    }

    /// Whether the SVID may end at any moment with its authority.
    fn is_being_withdrawn(&self) -> bool {
        !holds(self.svid(), &self.bundle, self.clock().now())
    }

    /// Proven, then stored, then used, so that no crash leaves the agent with an SVID that the server no longer accepts.
    /// What the disk does not take is used when that is no loss; else it is spared until the disk does, or until the
    /// server no longer accepts the one before.
    async fn replace(&mut self, next: Next) -> anyhow::Result<()> {
        self.home.prove(&next.credential, &next.bundle).context("the new SVID is not used")?;
        let mut stored = self.home.stored.clone();
        stored.bundle = Some(Bundle::clone(&next.bundle));
        stored.can_reattest = next.can_reattest;
        let mut saved = Err(io::Error::other("its key is held in memory only"));
        if next.has_kept_key {
            stored.svid = Some(next.credential.svid().clone());
            saved = self.home.storage.save(&stored).await;
        }
        let is_saved = saved.is_ok();
        if let Err(error) = saved {
            let is_needed = next.is_all_there_is
                || self.can_do_without_disk()
                || (self.is_being_withdrawn() && self.post_status().await.is_err());
            if !is_needed {
                self.spare = Some(next);
                return Err(error).context("the new SVID is not used until it is stored");
            }
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::error!(error, "the agent's new SVID is in use, and not stored: a restart would lose it");
        }
        self.is_unsaved = !is_saved;
        self.spare = None;
        self.home.stored = stored;
        self.home.writer.publish(vec![next.credential.clone()], only(&next.bundle))?;
        (self.credential, self.bundle) = (next.credential, next.bundle);
        self.channels.send_replace(self.home.dialer.channel());
        Ok(())
    }

    /// Trusts another bundle, to which the SVID does not lead: until there is another SVID, none is shown.
    pub(crate) fn trust(&mut self, bundle: Arc<Bundle>) {
        self.bundle = bundle;
        self.go_anonymous();
    }

    /// Stops showing an SVID that the server does not accept, so that it can be asked for another.
    pub(crate) fn go_anonymous(&mut self) {
        self.home.writer.publish_anonymous(only(&self.bundle));
        self.channels.send_replace(self.home.dialer.channel());
    }

    /// Trusts the server's newer bundle, unless the agent's own SVID does not verify against it.
    pub(crate) async fn adopt(&mut self, bundle: &Arc<Bundle>) -> anyhow::Result<()> {
        if Arc::ptr_eq(bundle, &self.bundle) {
            return Ok(());
        }
        self.home.writer.publish(vec![self.credential.clone()], only(bundle))?;
        let is_stored = self.bundle.x509_authorities == bundle.x509_authorities;
        self.bundle = Arc::clone(bundle);
        if !is_stored {
            self.home.stored.bundle = Some(Bundle::clone(bundle));
            self.is_unsaved = true;
            self.save().await?;
        }
        Ok(())
    }

    /// Stores what could not be stored before: a bundle that is not on the disk is missed by the next start.
    pub(crate) async fn save(&mut self) -> io::Result<()> {
        if self.is_unsaved {
            self.home.storage.save(&self.home.stored).await?;
            self.is_unsaved = false;
        }
        Ok(())
    }

    /// Withdraws the identity from everything that uses it, and forgets it.
    pub(crate) async fn give_up(mut self, reason: &str) {
        self.home.writer.withdraw(reason);
        self.home.forget().await;
    }

    /// Back to its home, without an SVID.
    pub(crate) async fn abandon(mut self) -> Home {
        self.home.forget().await;
        self.home
    }
}

/// Whether the SVID is in the last quarter of its life.
fn has_little_left(svid: &X509Svid, now: SystemTime) -> bool {
    let life = svid.not_after().duration_since(svid.not_before()).unwrap_or_default();
    let left = svid.not_after().duration_since(now).unwrap_or_default();
    left < life / 4
}

/// Whether the SVID leads to an authority that is not about to leave the bundle. Once it has left, the server knows the
/// agent no more, and a token that was used up does not bring it back.
pub(crate) fn holds(svid: &X509Svid, bundle: &Bundle, now: SystemTime) -> bool {
    let mut standing = bundle.clone();
    standing.x509_authorities.retain(|authority| !authority.is_tainted());
    let at = svid.instant_within(now, CLOCK_SKEW);
    svid.verify(&BundleSet::from_iter([Arc::new(standing)]), at, Role::Client).is_ok()
}

pub(crate) fn only(bundle: &Arc<Bundle>) -> BundleSet {
    [Arc::clone(bundle)].into_iter().collect()
}

#[cfg(test)]
mod tests;

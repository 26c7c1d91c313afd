//! The server's own SVID: issued to itself, renewed at half life and whenever another authority signs.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use finial_authorize::Grant;
use finial_daemon::metrics::Calls;
use finial_daemon::{Backoff, Clock, Drain, Tasks};
use finial_identity::{BundleSet, KeyKind, PrivateKey, TrustDomain, X509Credential};
use finial_issue::{ActiveAuthorities, Issuer};
use finial_receive::{Source, SourceWriter};
use finial_store::{Index, Snapshot};
use tokio::sync::watch;

/// The first pause after a failure, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Issues the first SVID, and keeps the source current in a task until the tasks drain.
///
/// The index must hold the active authority already: an SVID that no bundle vouches for is not published.
pub(crate) async fn start(
    trust_domain: TrustDomain,
    key_kind: KeyKind,
    issuer: Issuer,
    index: &Index,
    rotations: Calls,
    clock: &Clock,
    tasks: &Tasks,
) -> anyhow::Result<Source> {
    let (writer, source) = Source::channel(clock);
    let (authorities, snapshots) = (issuer.active(), index.subscribe());
    let bundles = snapshots.borrow().bundles().clone();
    let clock = clock.clone();
    let identity = SelfIssuer { trust_domain, key_kind, issuer, clock };
    let current = identity.issue().await?;
    writer.publish(vec![current.credential.clone()], bundles.clone()).context("publish the server's SVID")?;
    let keeper = Keeper {
        identity,
        writer,
        authorities,
        snapshots,
        current,
        bundles,
        rotations,
        backoff: Backoff::new(RETRY.0, RETRY.1),
    };
    tasks.spawn("server identity", keeper.run(tasks.drain()));
    Ok(source)
}

struct SelfIssuer {
    trust_domain: TrustDomain,
    key_kind: KeyKind,
    issuer: Issuer,
    clock: Clock,
}

/// The server's credential, what signed it, and when it wants to be renewed.
struct Current {
    credential: X509Credential,
    authority: String,
    renew_at: SystemTime,
}

impl SelfIssuer {
    async fn issue(&self) -> anyhow::Result<Current> {
        let authority = self.issuer.active().borrow().x509_authority_id().to_owned();
        let key = make_key(self.key_kind).await.context("make a key for the server's SVID")?;
        let grant = Grant::server(&self.trust_domain);
        let svid =
            self.issuer.issue_x509(grant, key.public_key()).await.context("issue the server's SVID")?;
        let now = self.clock.now();
        let half_life = svid.not_after().duration_since(now).unwrap_or_default() / 2;
        let credential = X509Credential::new(svid, key, String::new()).context("use the server's SVID")?;
        Ok(Current { credential, authority, renew_at: now + half_life })
    }
}

struct Keeper {
    identity: SelfIssuer,
    writer: SourceWriter,
    authorities: watch::Receiver<Arc<ActiveAuthorities>>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    current: Current,
    bundles: BundleSet,
    /// Of this SVID by another.
    rotations: Calls,
    backoff: Backoff,
}

impl Keeper {
    async fn run(mut self, drain: Drain) {
        loop {
            tokio::select! {
                () = drain.requested() => return,
                () = self.identity.clock.sleep_until(self.current.renew_at) => self.renew().await,
                Ok(()) = self.authorities.changed() => self.follow_authority().await,
                Ok(()) = self.snapshots.changed() => self.follow_bundles(),
                // Whoever fed the two has ended: so does the server.
                else => return,
            }
        }
    }

    async fn follow_authority(&mut self) {
        let active = self.authorities.borrow_and_update().x509_authority_id().to_owned();
        if active != self.current.authority {
            self.renew().await;
        }
    }

    fn follow_bundles(&mut self) {
        let bundles = self.snapshots.borrow_and_update().bundles().clone();
        if bundles != self.bundles {
            self.bundles = bundles;
            self.publish();
        }
    }

    /// On failure the SVID in use goes on, and this is tried again.
    async fn renew(&mut self) {
        match self.rotations.timed(&self.identity.clock, self.identity.issue()).await {
            Ok(next) => {
                self.current = next;
                self.bundles = self.snapshots.borrow_and_update().bundles().clone();
                self.publish();
            }
            Err(error) => {
                tracing::error!(
                    error = AsRef::<dyn Error>::as_ref(&error),
                    "the server's SVID could not be renewed, trying on"
                );
                self.retry();
            }
        }
    }

    /// The bundle may lag behind the authority by a moment; the set that belongs together follows soon.
    fn publish(&mut self) {
        match self.writer.publish(vec![self.current.credential.clone()], self.bundles.clone()) {
            Ok(()) => {
                self.backoff.reset();
                tracing::info!(
                    spiffe_id = %self.current.credential.svid().id(),
                    authority = self.current.authority,
                    "the server's identity was renewed"
                );
            }
            Err(error) => {
                let reason = &error as &dyn Error;
                tracing::warn!(error = reason, "the server's new identity was refused, trying on");
                self.retry();
            }
        }
    }

    fn retry(&mut self) {
        self.current.renew_at = self.identity.clock.now() + self.backoff.next();
    }
}

/// RSA takes up to seconds, in which others are served.
async fn make_key(kind: KeyKind) -> anyhow::Result<PrivateKey> {
    let key = match kind {
        KeyKind::Rsa { .. } => tokio::task::spawn_blocking(move || PrivateKey::generate(kind)).await?,
        kind => PrivateKey::generate(kind),
    };
    Ok(key?)
}

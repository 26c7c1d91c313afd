//! Whether the server lives and can serve, for orchestrators: the parts that SPIRE tells of.

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::Tasks;
use finial_daemon::health::{Checks, Condition};
use finial_receive::Source;
use tokio::sync::watch;

use crate::core::Core;

/// An authority with less left than this has not been replaced in time.
const LAST_MINUTES: Duration = Duration::from_mins(1);

/// How often the store is asked whether it answers, and for how long it may think.
const EVERY: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(5);

/// The parts, by SPIRE's names.
///
/// | part | is unready when |
/// |---|---|
/// | `server` | the bundle is not in memory, or the server's own SVID is not valid |
/// | `server.ca` | the active X.509 authority is about to expire: nothing can be signed |
/// | `server.ca.rotator` | its successor should have taken over by now |
/// | `catalog.datastore` | the store has failed when it was asked last |
pub(crate) fn checks(core: &Arc<Core>, source: Source, tasks: &Tasks) -> Checks {
    let mut checks = Checks::default();
    let server = Arc::clone(core);
    checks.add("server", move || {
        if server.index.snapshot().bundle(&server.trust_domain).is_none() {
            return Condition::unready("get_bundle_err", "the trust domain has no bundle");
        }
        match source.credential() {
            Ok(_) => Condition::well(),
            Err(error) => Condition::unready("own_svid_err", error),
        }
    });
    let ca = Arc::clone(core);
    checks.add("server.ca", move || {
        let left = ca.issuer.active().borrow().x509_expires_at().duration_since(ca.clock.now());
        match left {
            Ok(left) if !left.is_zero() => Condition::well(),
            _ => Condition::unready("sign_x509_svid_err", "the active X.509 authority has expired"),
        }
    });
    let rotator = Arc::clone(core);
    checks.add("server.ca.rotator", move || {
        let now = rotator.clock.now();
        let active = Arc::clone(&rotator.issuer.active().borrow());
        let ends = active.x509_expires_at().min(active.jwt_expires_at());
        if ends.duration_since(now).is_ok_and(|left| left > LAST_MINUTES) {
            Condition::well()
        } else {
            Condition::unready("rotation_err", "an authority is at its end, and has no successor")
        }
    });
    let store = store_condition(core, tasks);
    checks.add("catalog.datastore", move || store.borrow().clone());
    checks
}

/// Asks the store again and again, until the tasks drain.
fn store_condition(core: &Arc<Core>, tasks: &Tasks) -> watch::Receiver<Condition> {
    let (told, conditions) = watch::channel(Condition::well());
    let (core, drain) = (Arc::clone(core), tasks.drain());
    tasks.spawn("datastore check", async move {
        loop {
            let condition = match core.clock.timeout(PATIENCE, core.store.revision()).await {
                Ok(Ok(_)) => Condition::well(),
                Ok(Err(error)) => Condition::unready("datastore_err", error),
                Err(elapsed) => Condition::unready("datastore_err", elapsed),
            };
            told.send_if_modified(|current| std::mem::replace(current, condition.clone()) != condition);
            tokio::select! {
                () = drain.requested() => return,
                () = core.clock.sleep(EVERY) => {}
            }
        }
    });
    conditions
}

//! For how long one connection may be used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use finial_daemon::Clock;
use finial_identity::X509Credential;

use crate::attempt::Established;

/// What one connection was made with, and when it is to be retired for that.
#[derive(Debug)]
pub(super) struct Lease {
    credential: Option<Arc<X509Credential>>,
    retire_at: Option<SystemTime>,
    ended: AtomicBool,
}

impl Lease {
    /// Of a connection that was made now.
    pub(super) fn new(established: Option<Established>, before: Duration, clock: &Clock) -> Self {
        let Some(Established { credential, server_until, .. }) = established else {
            return Self { credential: None, retire_at: None, ended: AtomicBool::new(false) };
        };
        let own_until = credential.as_ref().map(|credential| credential.svid().not_after());
        let left =
            own_until.map_or(server_until, |until| until.min(server_until)).duration_since(clock.now());
        let (left, before) = (left.unwrap_or_default(), before.mul_f64(1.0 + fastrand::f64()));
        let retire_at = Some(clock.now() + left.saturating_sub(before).max(left / 2));
        Self { credential, retire_at, ended: AtomicBool::new(false) }
    }

    pub(super) fn credential(&self) -> Option<&Arc<X509Credential>> {
        self.credential.as_ref()
    }

    /// When it is to be retired, whatever else happens.
    pub(super) fn retire_at(&self) -> Option<SystemTime> {
        self.retire_at
    }

    /// The connection has ended.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

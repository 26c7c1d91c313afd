//! Waiting for another program, which tells nobody when it is done.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use finial_daemon::Clock;

/// How long anything here may take: generous, since it passes only when something is broken.
pub const LIMIT: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(50);

/// Asks twenty times a second until there is an answer.
///
/// # Panics
/// After [`LIMIT`], saying that there was no `what`.
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, ask).unwrap_or_else(|| panic!("no {what} within {LIMIT:?}"))
}

/// As [`until`], for a caller with more to say than that it took too long.
#[expect(
    clippy::disallowed_methods,
    reason = "other programs cannot be waited for on a Clock; bounded by `limit`"
)]
pub(crate) fn within<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let clock = Clock::system();
    let started = clock.monotonic();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if clock.monotonic().saturating_sub(started) > limit {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// A port of 127.0.0.1 on which nobody listened a moment ago.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address that was just bound").port()
}

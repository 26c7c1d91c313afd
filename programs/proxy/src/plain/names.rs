//! What names meant a moment ago: the resolver is not asked for each connection.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;

/// For this long a name means what it meant. Who changes one waits as long, or until its address fails.
pub(super) const KEPT: Duration = Duration::from_secs(1);
/// Addresses of one name that are dialled.
const ADDRESSES: usize = 16;

/// The names that somebody has configured, and no others: so they are few.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    asked: Duration,
    addresses: Vec<SocketAddr>,
}

impl Names {
    /// Asks the resolver for the addresses of a name, in its order; only the port is ours.
    pub(super) async fn ask(&self, host: &str, port: u16, now: Duration) -> io::Result<Vec<SocketAddr>> {
        let addresses = lookup_host((host, port)).await?.take(ADDRESSES).collect::<Vec<_>>();
        self.known().insert(host.to_owned(), Known { asked: now, addresses: addresses.clone() });
        Ok(addresses)
    }

    /// The same as somebody was told less than a second ago; first the one that has answered.
    pub(super) fn recall(&self, host: &str, port: u16, now: Duration) -> Option<Vec<SocketAddr>> {
        let known = self.known();
        let known = known.get(host).filter(|known| now < known.asked + KEPT)?;
        Some(known.addresses.iter().map(|address| with_port(*address, port)).collect())
    }

    /// This one has answered: the next are spared those before it.
    pub(super) fn prefer(&self, host: &str, answered: SocketAddr) {
        let mut known = self.known();
        let Some(Known { addresses, .. }) = known.get_mut(host) else { return };
        let place = addresses.iter().position(|address| with_port(*address, answered.port()) == answered);
        if let Some(place @ 1..) = place {
            addresses.swap(0, place);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        // No code that could panic half-way runs under the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn of(host: &str, addresses: &[SocketAddr]) -> Self {
        let known = Known { asked: Duration::ZERO, addresses: addresses.to_vec() };
        Self { known: Mutex::new(HashMap::from([(host.to_owned(), known)])) }
    }
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

//! By which group a server exchanges keys, so that the next handshake with it does not begin with another.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

/// So many servers are remembered; then all are forgotten.
const LIMIT: usize = 256;
/// So many handshakes later a server is offered the best again, which it may have learned meanwhile.
const PATIENCE: u8 = 64;

/// Remembers the groups of servers that knew none of those we begin with, and had to ask for another: a round trip, and
/// keys made for nothing. PostgreSQL is one before version 18. Keeps no session, so that none is resumed.
#[derive(Debug, Default)]
pub(crate) struct GroupHints(Mutex<Known>);

/// Each with how many handshakes may begin with it.
type Known = HashMap<ServerName<'static>, (NamedGroup, u8)>;

impl GroupHints {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for GroupHints {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        let mut known = self.known();
        if matches!(group, NamedGroup::X25519MLKEM768 | NamedGroup::X25519) {
            // One of those that we begin with.
            known.remove(&server);
        } else if !known.contains_key(&server) {
            if known.len() >= LIMIT {
                known.clear();
            }
            known.insert(server, (group, PATIENCE));
        }
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        let (mut known, server) = (self.known(), server.to_owned());
        let (group, left) = known.get_mut(&server)?;
        let group = *group;
        match left.checked_sub(1) {
            Some(fewer) => *left = fewer,
            None => drop(known.remove(&server)),
        }
        Some(group).filter(|_| known.contains_key(&server))
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

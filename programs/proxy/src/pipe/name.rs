//! How log lines name an open connection. It is put together when a line is written, and not for each connection.

use std::fmt;

use crate::plain::Remote;
use crate::side::AnyPeer;

/// Who is connected with what, in ghostunnel's words.
pub(crate) struct Name<'a> {
    pub(crate) from: Remote,
    pub(crate) target: &'a str,
    /// Whom the handshake was with.
    pub(crate) peer: &'a AnyPeer,
    pub(crate) secured: Secured,
}

/// Which end speaks TLS.
#[derive(Clone, Copy)]
pub(crate) enum Secured {
    Caller,
    Target,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, target, peer, secured } = self;
        match secured {
            Secured::Caller => write!(f, "{from} [{peer}] <-> {target} [no tls]"),
            Secured::Target => write!(f, "{from} [no tls] <-> {target} [{peer}]"),
        }
    }
}

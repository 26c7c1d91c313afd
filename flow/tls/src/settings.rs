//! How handshakes are made, by whichever party.

use std::time::Duration;

use crate::{Offer, Terms};

/// How long a handshake may take unless it was said otherwise.
pub(crate) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// What handshakes agree on, how long one may take, and on what terms peers stay.
#[derive(Clone, Debug)]
pub struct HandshakeSettings {
    /// These versions and suites only.
    pub offer: Offer,
    /// For one handshake, by the source's clock. Ten seconds.
    pub limit: Duration,
    /// What peers are held to, in the handshake and for as long as they are connected.
    pub terms: Terms,
    /// How far ahead of the source's clock the NotBefore of a SPIFFE peer may be. Zero: a clock that is behind that of
    /// the issuer refuses what was just issued. No certificate counts for longer by it.
    pub skew: Duration,
}

impl Default for HandshakeSettings {
    fn default() -> Self {
        Self {
            offer: Offer::default(),
            limit: HANDSHAKE_LIMIT,
            terms: Terms::default(),
            skew: Duration::ZERO,
        }
    }
}

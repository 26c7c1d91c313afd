//! What a proxy presents, and verifies its peers by: of SPIFFE, or of the web.

use std::time::SystemTime;

use finial_daemon::Clock;
use finial_receive::{NotLive, Source, WebSource};
use finial_tls::{Standing, Terms};

/// The identity of a proxy, kept up to date.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// From the Workload API.
    Spiffe(Source),
    /// From files.
    Web(WebSource),
}

impl Identity {
    pub(crate) fn clock(&self) -> &Clock {
        match self {
            Self::Spiffe(source) => source.clock(),
            Self::Web(source) => source.clock(),
        }
    }

    /// Whether there is something to present, and to verify by.
    pub(crate) fn check(&self) -> Result<(), NotLive> {
        match self {
            Self::Spiffe(source) => source.credential().map(drop),
            Self::Web(source) => source.identity().map(drop),
        }
    }

    /// Whether there is a certificate with which a server can be.
    pub(crate) fn can_serve(&self) -> bool {
        match self {
            Self::Spiffe(_) => true,
            Self::Web(source) => source.identity().is_ok_and(|identity| identity.credential().is_some()),
        }
    }

    /// When what is presented expires, or has.
    pub(crate) fn not_after(&self) -> Option<SystemTime> {
        match self {
            Self::Spiffe(source) => match source.credential() {
                Ok(credential) => Some(credential.svid().not_after()),
                Err(NotLive::Expired { at, .. }) => Some(at),
                Err(_) => None,
            },
            Self::Web(source) => {
                let identity = source.identity().ok()?;
                identity.credential().map(|credential| credential.chain().not_after())
            }
        }
    }

    /// How many generations were refused.
    pub(crate) fn refused(&self) -> u64 {
        match self {
            Self::Spiffe(source) => source.refused(),
            Self::Web(source) => source.refused(),
        }
    }

    /// Whether files are being read again.
    pub(crate) fn is_reading(&self) -> bool {
        match self {
            Self::Spiffe(_) => false,
            Self::Web(source) => source.is_reading(),
        }
    }

    /// When what is presented was read from files.
    pub(crate) fn read_at(&self) -> Option<SystemTime> {
        match self {
            Self::Spiffe(_) => None,
            Self::Web(source) => source.identity().ok().map(|identity| identity.read_at()),
        }
    }

    /// Lets a connection that was made with another identity rest on this one, and on these terms: it falls unless its peer
    /// is trusted here too. `false` between identities of SPIFFE and of the web, whose peers are never taken for each
    /// other.
    pub(crate) fn carry(&self, standing: &mut Standing, terms: &Terms) -> bool {
        match self {
            Self::Spiffe(source) => standing.move_to(source, terms),
            Self::Web(source) => standing.move_to_web(source, terms),
        }
    }
}

//! What is asked of a minted SVID of either kind, and what is told of it beside itself.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::Args;
use finial_daemon::go;
use finial_identity::SpiffeId;

use crate::output;

/// How much shorter than asked for an SVID may be without a word: its end is a whole second, and the answer took time.
const SLACK: Duration = Duration::from_secs(2);

/// Whom it is for, and for how long.
#[derive(Args)]
pub(crate) struct Wanted {
    /// SPIFFE ID of the SVID
    #[arg(long = "spiffeID", visible_alias = "spiffe-id", value_name = "ID")]
    spiffe_id: Option<String>,
    /// Its life, as in 90s or 12h; cut at the end of the authority [default: the server's]
    #[arg(long, value_name = "DURATION", value_parser = go::parse_duration)]
    pub(crate) ttl: Option<Duration>,
}

impl Wanted {
    /// The SPIFFE ID as it was given; it has to be.
    pub(crate) fn given(&self) -> Result<&str> {
        self.spiffe_id.as_deref().context("spiffeID must be specified: give -spiffeID")
    }
}

/// A SPIFFE ID that was given.
pub(crate) fn id(given: &str) -> Result<SpiffeId> {
    SpiffeId::parse(given).with_context(|| format!("-spiffeID {given:?}"))
}

/// Says on standard error that an SVID ends sooner than was asked for, since its authority does.
pub(crate) fn warn_if_capped(
    what: &str,
    asked_at: SystemTime,
    ttl: Option<Duration>,
    expires_at: SystemTime,
) {
    if ttl.is_some_and(|ttl| is_capped(asked_at, ttl, expires_at)) {
        let expires_at = go::format_rfc3339(expires_at);
        output::complain(format_args!(
            "{what} lifetime was capped shorter than specified ttl; expires {expires_at:?}\n"
        ));
    }
}

fn is_capped(asked_at: SystemTime, ttl: Duration, expires_at: SystemTime) -> bool {
    // A life beyond all calendars is cut for certain.
    asked_at.checked_add(ttl).is_none_or(|asked_for| expires_at + SLACK < asked_for)
}

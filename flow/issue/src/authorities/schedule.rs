//! When an authority is prepared, activated and forgotten.

use std::time::{Duration, SystemTime};

use super::AuthorityRecord;

/// How long before its end an authority's successor is prepared, at most.
const MAX_PREPARE: Duration = Duration::from_hours(30 * 24);

/// How long before its end an authority's successor takes over, at most.
const MAX_ACTIVATE: Duration = Duration::from_hours(7 * 24);

/// How long an expired authority stays in the bundle, for verifiers whose clock is behind.
pub(super) const KEEP_EXPIRED: Duration = Duration::from_hours(24);

/// When the successor of the active authority is prepared: at half its life, or 30 days before its end.
pub(super) fn prepare_at(active: &AuthorityRecord) -> SystemTime {
    active.not_after - (active.life() / 2).min(MAX_PREPARE)
}

/// When the prepared authority takes over from the active one: with a sixth of the active one's life left, or 7 days.
///
/// A third of the life, or 23 days, lies between preparation and this: that is how long an authority is published
/// before it signs (FED-01). One that was prepared late is given three refresh hints, as far as the active one lasts;
/// one made with a shorter life than the active one does not wait beyond its own half.
pub(super) fn activate_at(active: &AuthorityRecord, prepared: &AuthorityRecord) -> SystemTime {
    let on_time = active.not_after - (active.life() / 6).min(MAX_ACTIVATE);
    let known_everywhere = prepared.issued_at + refresh_hint(prepared.life()) * 3;
    let at_the_latest =
        (active.not_after - (active.life() / 24).min(MAX_ACTIVATE / 4)).min(prepare_at(prepared));
    on_time.max(known_everywhere).min(at_the_latest)
}

/// How often those who copy the bundle should look at it, given the life of its shortest-lived authority: ten times in
/// that life, and three times between preparation and activation at the least.
pub(super) fn refresh_hint(shortest_life: Duration) -> Duration {
    let lead = (shortest_life / 2).min(MAX_PREPARE).saturating_sub((shortest_life / 6).min(MAX_ACTIVATE));
    Duration::from_secs((shortest_life / 10).min(lead / 3).as_secs().max(1))
}

//! Rotation, recovery and commands.

mod append;
mod crash;
mod recovery;
mod rotation;

use super::*;

/// The schedule of a record that lives for `life`, as spans before its end.
fn before_end(life: Duration) -> (Duration, Duration) {
    let active = record(Duration::ZERO, life);
    let span = |instant| active.not_after.duration_since(instant).unwrap_or_default();
    let prepared = record(life - span(schedule::prepare_at(&active)), life);
    (span(schedule::prepare_at(&active)), span(schedule::activate_at(&active, &prepared)))
}

fn record(after: Duration, life: Duration) -> AuthorityRecord {
    let issued_at = SystemTime::UNIX_EPOCH + crate::testing::START + after;
    AuthorityRecord {
        kind: AuthorityKind::X509,
        slot: Slot::A,
        state: State::Active,
        key_id: String::new(),
        id: String::new(),
        issued_at,
        not_after: issued_at + life,
        document: Vec::new(),
    }
}

#[test]
fn authority_of_a_day_is_prepared_at_12_h_and_activated_at_20_h() {
    assert_eq!(before_end(Duration::from_hours(24)), (Duration::from_hours(12), Duration::from_hours(4)));
}

#[test]
fn authority_of_a_year_is_prepared_30_days_and_activated_7_days_before_its_end() {
    let day = Duration::from_hours(24);
    assert_eq!(before_end(day * 365), (day * 30, day * 7));
}

#[test]
fn fed_01_lead_is_at_least_three_refresh_hints() {
    for hours in [1, 24, 24 * 7, 24 * 30, 24 * 365, 24 * 3650] {
        let life = Duration::from_hours(hours);
        let (prepare, activate) = before_end(life);
        assert!(prepare - activate >= schedule::refresh_hint(life) * 3, "{hours} h");
    }
}

#[test]
fn authority_prepared_late_is_published_for_a_while_before_it_signs() {
    let day = Duration::from_hours(24);
    let active = record(Duration::ZERO, day);
    let tenths_of_hours_left = |prepared_at: u64| {
        let prepared = record(Duration::from_hours(prepared_at), day);
        active
            .not_after
            .duration_since(schedule::activate_at(&active, &prepared))
            .unwrap_or_default()
            .as_secs()
            / 360
    };
    assert_eq!(tenths_of_hours_left(12), 40, "4.0 h: on time");
    assert_eq!(tenths_of_hours_left(15), 18, "1.8 h: 7.2 h after it was prepared");
    assert_eq!(tenths_of_hours_left(21), 10, "1.0 h: the last moment");
}

//! What is told of outputs, commands and hooks, at each turn of their lives.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand};
use serde_json::{Value, json};

use super::announcer::{self, News};
use super::{OutputKind, Vitals, metrics, report};

fn vitals() -> (Vitals, ClockHand) {
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    (Vitals::new(&clock), hand)
}

fn health(vitals: &Vitals) -> (bool, bool, Value) {
    let state = vitals.state.borrow();
    let body = report::body(&state, state.is_ready());
    (state.is_live(), state.is_ready(), body)
}

fn text(vitals: &Vitals) -> String {
    metrics::text(&vitals.state.borrow(), vitals.clock.now())
}

#[test]
fn health_is_the_ancestors_for_files() {
    let (vitals, _hand) = vitals();
    let x509 = vitals.output(OutputKind::X509, Path::new("/c/svid.pem"));
    let jwt = vitals.output(OutputKind::Jwt, Path::new("/c/token"));
    let bundle = vitals.output(OutputKind::JwtBundle, Path::new("/c/bundle.json"));
    let body = |status: &str, x509: &str, jwt: &str, bundle: &str| {
        let jwt = json!({"/c/token": jwt, "/c/bundle.json": bundle});
        let files = json!({"x509_write_status": x509, "jwt_write_status": jwt});
        json!({"status": status, "health": {"file_write_statuses": files}})
    };
    let unwell = "Service Unavailable";
    assert_eq!(health(&vitals), (true, false, body(unwell, "unwritten", "unwritten", "unwritten")));
    x509.written(None);
    jwt.failed();
    assert_eq!(health(&vitals), (false, false, body(unwell, "written", "failed", "unwritten")));
    jwt.written(None);
    bundle.written(None);
    assert_eq!(health(&vitals), (true, true, body("OK", "written", "written", "written")));
    x509.failed();
    assert_eq!(health(&vitals), (false, false, body(unwell, "failed", "written", "written")));
}

#[test]
fn the_worst_of_several_x509_outputs_is_told_and_none_where_there_is_none() {
    let (vitals, _hand) = vitals();
    let status = || health(&vitals).2["health"]["file_write_statuses"]["x509_write_status"].clone();
    assert_eq!(status(), Value::Null);
    let (one, two) = (Path::new("1"), Path::new("2"));
    let (one, two) = (vitals.output(OutputKind::X509, one), vitals.output(OutputKind::X509, two));
    one.written(None);
    assert_eq!(status(), "unwritten");
    two.failed();
    assert_eq!(status(), "failed");
}

#[test]
fn those_who_are_told_count_for_readiness_only_where_they_are_required() {
    let (vitals, _hand) = vitals();
    let (command, hook) = (vitals.command("web", false), vitals.hook("reload", false));
    command.failed("it is missing");
    hook.ended(Duration::ZERO, Err("exit status: 2".to_owned()));
    let (live, ready, body) = health(&vitals);
    assert!(live && ready);
    assert_eq!(body["health"]["commands"]["web"], json!({"status": "failed", "reason": "it is missing"}));
    assert_eq!(body["health"]["hooks"]["reload"], json!({"status": "failed", "reason": "exit status: 2"}));
    let (command, hook) = (vitals.command("db", true), vitals.hook("notify", true));
    command.started(7);
    assert!(!health(&vitals).1);
    hook.started();
    assert_eq!(health(&vitals).2["health"]["hooks"]["notify"], json!({"status": "running"}));
    hook.ended(Duration::ZERO, Ok(()));
    let (live, ready, body) = health(&vitals);
    assert!(live && ready);
    assert_eq!(body["health"]["commands"]["db"], json!({"status": "running", "process": 7}));
    command.failed("signal: 9");
    assert!(!health(&vitals).1);
    command.succeeded();
    assert!(health(&vitals).1);
}

#[test]
fn metrics_tell_of_each_by_its_name() {
    let (vitals, hand) = vitals();
    let x509 = vitals.output(OutputKind::X509, Path::new("/c/\"svid\".pem"));
    let bundle = vitals.output(OutputKind::JwtBundle, Path::new("b"));
    let (command, hook) = (vitals.command("web", false), vitals.hook("reload", false));
    assert!(!text(&vitals).contains("expires_in") && !text(&vitals).contains("timestamp"));
    x509.written(Some(vitals.clock.now() + Duration::from_secs(3600)));
    bundle.failed();
    command.started(1);
    command.told();
    hook.ended(Duration::from_millis(1500), Ok(()));
    hook.ended(Duration::from_millis(500), Err("late".to_owned()));
    hand.step(Duration::from_secs(4000));
    let text = text(&vitals);
    for line in [
        r#"finial_helper_writes_total{kind="x509",file="/c/\"svid\".pem",result="written"} 1"#,
        r#"finial_helper_writes_total{kind="jwt_bundle",file="b",result="failed"} 1"#,
        r#"finial_helper_last_write_timestamp_seconds{kind="x509",file="/c/\"svid\".pem"} 1800000000"#,
        r#"finial_helper_expires_in_seconds{kind="x509",file="/c/\"svid\".pem"} -400"#,
        r#"finial_helper_command_running{command="web"} 1"#,
        r#"finial_helper_command_starts_total{command="web"} 1"#,
        r#"finial_helper_command_ends_total{command="web",result="failed"} 0"#,
        r#"finial_helper_command_signals_total{command="web"} 1"#,
        r#"finial_helper_hook_runs_total{hook="reload",result="succeeded"} 1"#,
        r#"finial_helper_hook_runs_total{hook="reload",result="failed"} 1"#,
        r#"finial_helper_hook_failing{hook="reload"} 1"#,
        r#"finial_helper_hook_duration_seconds_sum{hook="reload"} 2"#,
        r#"finial_helper_hook_duration_seconds_count{hook="reload"} 2"#,
        r#"finial_helper_hook_last_success_timestamp_seconds{hook="reload"} 1800000000"#,
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
}

#[test]
fn supervisor_hears_of_the_first_complete_write_then_of_each_turn() {
    let (vitals, _hand) = vitals();
    let (one, two) = (Path::new("one"), Path::new("two"));
    let (one, two) = (vitals.output(OutputKind::X509, one), vitals.output(OutputKind::Jwt, two));
    let (hook, command) = (vitals.hook("reload", false), vitals.command("web", false));
    let mut told = None;
    let mut next = || announcer::next(&mut told, &vitals.state.borrow());
    let (ready, status) =
        (|text: &str| Some(News::Ready(text.to_owned())), |text: &str| Some(News::Status(text.to_owned())));
    assert_eq!(next(), None);
    one.written(Some(vitals.clock.now()));
    two.failed();
    assert_eq!(next(), None);
    two.written(None);
    let well = "everything is written; the first expires at 2027-01-15T08:00:00Z";
    assert_eq!(next(), ready(well));
    assert_eq!(next(), None);
    one.failed();
    assert_eq!(next(), status("one cannot be written"));
    one.written(None);
    hook.ended(Duration::ZERO, Err("late".to_owned()));
    assert_eq!(next(), status("hook reload fails"));
    hook.ended(Duration::ZERO, Ok(()));
    command.failed("signal: 9");
    assert_eq!(next(), status("command web has failed"));
    command.started(1);
    assert_eq!(next(), status("everything is written"));
}

//! What health answers, and what the block may say.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::hcl;

fn read(text: &str) -> Result<Option<HealthConfig>, String> {
    let mut top = hcl::parse(text, "test.conf").unwrap();
    HealthConfig::take(&mut top).map_err(|error| error.to_string())
}

#[test]
fn nobody_listens_unless_it_is_enabled() {
    for text in ["", "health_checks { }", "health_checks { listener_enabled = false bind_port = 8080 }"] {
        assert_eq!(read(text), Ok(None), "{text}");
    }
    assert_eq!(read("health_checks { listener_enabled = true }"), Ok(Some(HealthConfig::default())));
}

#[test]
fn every_key_is_read_and_the_port_may_be_text() {
    let config = HealthConfig {
        bind_address: "0.0.0.0".into(),
        bind_port: 8080,
        live_path: "/healthz".into(),
        ready_path: "/readyz".into(),
    };
    for port in ["8080", "\"8080\""] {
        let text = format!(
            "health_checks {{ listener_enabled = true bind_address = \"0.0.0.0\" bind_port = {port} live_path = \
             \"/healthz\" ready_path = \"/readyz\" }}"
        );
        assert_eq!(read(&text), Ok(Some(config.clone())));
    }
}

#[test]
fn paths_that_cannot_be_asked_for_are_refused() {
    for (text, problem) in [
        ("live_path = \"live\"", "live_path must begin with a slash: `/live`"),
        ("ready_path = \"/live\"", "live_path and ready_path are the same"),
        ("live_pth = \"/live\"", "did you mean \"live_path\"?"),
        ("bind_port = 65536", "bind_port must be"),
    ] {
        let error = read(&format!("health_checks {{ {text} }}")).unwrap_err();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn each_part_is_told_and_one_that_is_unwell_decides() {
    let mut checks = Checks::default();
    checks.add("server", Condition::well);
    checks.add("server.ca", || Condition::unready("sign_x509_svid_err", "no authority"));
    let config = HealthConfig::default();
    let live = checks.page(&config, "/live");
    assert_eq!(
        (live.code, live.kind, live.body.as_str()),
        (200, "application/json", r#"{"server":{},"server.ca":{}}"#)
    );
    let ready = checks.page(&config, "/ready");
    assert_eq!(ready.code, 500);
    assert_eq!(ready.body, r#"{"server":{},"server.ca":{"sign_x509_svid_err":"no authority"}}"#);
    assert_eq!(checks.page(&config, "/").code, 404);

    checks.add("catalog.datastore", || Condition { dead: Some(("err", "gone".into())), unready: None });
    assert_eq!(checks.page(&config, "/live").code, 500);
    assert!(checks.page(&config, "/ready").body.contains(r#""catalog.datastore":{"err":"gone"}"#));
}

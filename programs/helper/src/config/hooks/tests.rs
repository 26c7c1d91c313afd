//! Good and bad keys about those who are told.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_daemon::hcl::{self, HclError};

use super::{Action, GRACE, HookConfig, Method, Restart};
use crate::Delivered;

fn take(text: &str) -> Result<HookConfig, HclError> {
    let mut block = hcl::parse(text, "h.conf")?;
    let hooks = HookConfig::take(&mut block)?;
    block.finish()?;
    Ok(hooks)
}

fn good(text: &str) -> HookConfig {
    take(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn fault(text: &str) -> String {
    take(text).expect_err(text).to_string()
}

#[test]
fn cmd_is_split_and_started_again_at_renewals_as_by_the_ancestor() {
    let hooks = good("cmd = \"/usr/bin/psql\"\ncmd_args = \"-c \\\"SELECT 1\\\"\"\nrenew_signal = \"\"");
    let [command] = hooks.commands.as_slice() else { panic!("{hooks:?}") };
    assert_eq!(command.name, "psql");
    assert_eq!(command.line.program, "/usr/bin/psql");
    assert_eq!(command.line.arguments, ["-c", "SELECT 1"]);
    assert_eq!((command.renew_signal, command.restart), (None, Restart::Renewal));
    assert_eq!((command.stop_grace, command.required), (Some(GRACE), false));
    assert!(good("cmd = \"\"\ncmd_args = \"x\"\npid_file_name = \"\"").commands.is_empty());
}

#[test]
fn pid_file_is_a_hook_with_ten_attempts() {
    let hooks = good("pid_file_name = \"/run/web.pid\"\nrenew_signal = \"SIGHUP\"");
    let [hook] = hooks.hooks.as_slice() else { panic!("{hooks:?}") };
    assert_eq!((hook.retries, hook.pause), (9, Duration::from_millis(100)));
    assert_eq!(hook.to_string(), "sends SIGHUP to the process of /run/web.pid after x509, jwt, jwt_bundle");
}

#[test]
fn commands_and_hooks_may_be_several() {
    let hooks = good(
        r#"
        command {
          cmd = "nginx"
          cmd_args = ["-g", "daemon off;"]
          renew_signal = "hup"
          restart = "on-failure"
          stop_grace = "1m"
          required = true
        }
        command { cmd = "/opt/nginx" name = "second" on = ["jwt", "jwt_bundle"] restart = "always" }
        hook { cmd = "true" timeout = "5s" retries = 0 on = ["x509"] }
        hook { pid_file_name = "/run/a.pid" signal = "SIGUSR1" required = true }
        hook { url = "http://[::1]:9000/reload?key=secret" }
        hook { url = "http://admin/x" socket = "/run/admin.sock" method = "GET" name = "admin" }
        "#,
    );
    let [nginx, second] = hooks.commands.as_slice() else { panic!("{hooks:?}") };
    assert_eq!(nginx.line.arguments, ["-g", "daemon off;"]);
    assert_eq!((nginx.stop_grace, nginx.required), (Some(Duration::from_secs(60)), true));
    assert_eq!(
        nginx.to_string(),
        "starts nginx, and sends it SIGHUP after x509, jwt, jwt_bundle; starts it again when it fails"
    );
    assert_eq!((second.name.as_str(), second.restart), ("second", Restart::Always));
    let delivered = Delivered { x509: 5, jwt: 2, jwt_bundle: 1, complete: true };
    assert_eq!((nginx.on.count(&delivered), second.on.count(&delivered)), (8, 3));
    let [run, signal, post, get] = hooks.hooks.as_slice() else { panic!("{hooks:?}") };
    assert_eq!((run.retries, run.timeout), (0, Duration::from_secs(5)));
    assert!(signal.required && signal.retries == 9);
    let Action::Request { method, url, socket } = &post.action else { panic!("{post:?}") };
    assert_eq!((*method, url.host.as_str(), url.port, socket), (Method::Post, "::1", 9000, &None));
    assert_eq!((url.path.as_str(), post.name.as_str()), ("/reload?key=secret", "http://[::1]:9000/reload"));
    assert!(!format!("{post:?} {post}").contains("secret"));
    let Action::Request { method, url, socket } = &get.action else { panic!("{get:?}") };
    assert_eq!((*method, url.port), (Method::Get, 80));
    assert_eq!(socket.as_deref(), Some("/run/admin.sock".as_ref()));
    assert_eq!(hooks.lines().len(), 6);
}

#[test]
fn health_has_the_ancestors_defaults_and_is_off_until_it_is_enabled() {
    assert_eq!(good("health_checks { bind_port = 9 }").health, None);
    let health = good("health_checks { listener_enabled = true bind_port = 0 }").health.unwrap();
    assert_eq!((health.bind_port, health.bind_address), (8081, None));
    assert_eq!((health.liveness_path.as_str(), health.readiness_path.as_str()), ("/live", "/ready"));
    let health =
        good("health_checks { listener_enabled = true bind_address = \"::1\" liveness_path = \"/a\" }");
    assert_eq!(health.health.unwrap().bind_address, Some("::1".parse().unwrap()));
}

#[test]
fn each_fault_is_told_with_its_line_and_remedy() {
    for (text, expected) in [
        ("pid_file_name = \"p\"", "1:1: must specify renew_signal when using pid_file_name"),
        (
            "\nrenew_signal = \"SIGFOO\"",
            "2:1: renew_signal: `SIGFOO` is no signal: write SIGHUP, SIGUSR1 or another name",
        ),
        (
            "cmd = \"x\"\ncmd_args = \"a \\\"b\"",
            "2:1: cmd_args: the last quote is never closed: add a \" at its end",
        ),
        (
            "cmd_args = 7.5\ncmd_args = 1",
            "2:1: `cmd_args` appears twice, first at 1:1: keep one of the lines",
        ),
        ("restart = \"always\"", "1:1: restart is set, and there is no cmd: add one, or remove it"),
        (
            "cmd = \"x\"\nrestart = \"sometimes\"",
            "2:11: restart: must be renewal, on-failure, always or never, not `sometimes`",
        ),
        ("stop_grace = \"0s\"", "1:1: stop_grace must be longer than 0s"),
        ("command { }", "1:1: command has no cmd: name the program to start"),
        (
            "cmd = \"/bin/x\"\ncommand { cmd = \"x\" }",
            "2:1: `x` is the name of another one too: add a name of its own",
        ),
        (
            "command { cmd = \"x\" renew_singal = \"HUP\" }",
            "1:21: unknown key \"renew_singal\" in command (did you mean \"renew_signal\"?)",
        ),
        ("hook { }", "1:1: hook does nothing: add cmd, pid_file_name or url"),
        (
            "hook { cmd = \"x\" url = \"http://a/\" }",
            "1:1: hook does several things: keep one of cmd, pid_file_name and url, and write a hook for each",
        ),
        (
            "hook { pid_file_name = \"x\" }",
            "1:1: hook has a pid_file_name and no signal: add one, such as \"SIGHUP\"",
        ),
        ("hook { cmd = \"x\" on = [] }", "1:18: on is empty: write x509, jwt or jwt_bundle, or remove it"),
        (
            "hook { cmd = \"x\" on = [\"jwks\"] }",
            "1:18: on: `jwks` is nothing that is delivered: write x509, jwt or jwt_bundle",
        ),
        ("hook { cmd = \"x\" retries = 101 }", "1:18: retries must be at most 100"),
        ("hook { cmd = \"x\" timeout = \"0s\" }", "1:18: timeout must be longer than 0s"),
        (
            "hook { url = \"https://a/\" }",
            "1:14: url: https is not spoken here: let cmd call a program that does, such as curl",
        ),
        ("hook { url = \"http://me:pw@a/\" }", "1:14: url: must not hold a user or a password"),
        ("hook { url = \"/a\" }", "1:14: url: must be http://HOST:PORT/PATH"),
        ("hook { url = \"http://a:99999/\" }", "1:14: url: must be http://HOST:PORT/PATH"),
        ("hook { url = \"http://a/\" method = \"PUT\" }", "1:35: method: must be GET or POST, not `PUT`"),
        ("health_checks { bind_port = -1 }", "1:17: bind port must be positive"),
        ("health_checks { bind_port = 65536 }", "1:17: bind_port must be at most 65535, not 65536"),
        ("health_checks { liveness_path = \"live\" }", "1:17: liveness_path must begin with /"),
        (
            "health_checks { readiness_path = \"/metrics\" }",
            "1:17: readiness_path is where the metrics are: choose another",
        ),
        (
            "health_checks { liveness_path = \"/ready\" }",
            "1:1: liveness_path and readiness_path are the same: change one",
        ),
    ] {
        assert_eq!(fault(text), format!("h.conf:{expected}"), "{text}");
    }
}

#[test]
fn several_faults_are_told_at_once() {
    let told = fault("hook { }\ncommand { }\nstop_grace = 5");
    assert_eq!(told.lines().count(), 3, "{told}");
    let many = "hook { cmd = \"x\" }\n".replace("\"x\"", "\"X\"");
    let many = (0..65).map(|number| many.replace('X', &number.to_string())).collect::<String>();
    assert_eq!(fault(&many), "h.conf:1:1: there are more than 64 commands or hooks");
}

#[test]
fn single_delivery_tells_what_it_leaves_out() {
    let mut block =
        hcl::parse("cmd = \"x\"\ncommand { cmd = \"y\" }\nhook { cmd = \"z\" }", "h.conf").unwrap();
    let warnings = HookConfig::take(&mut block).unwrap().check_once(&block).unwrap();
    assert_eq!(warnings.len(), 3);
    assert!(
        warnings[0].starts_with("cmd is set but daemon_mode is false. cmd will be ignored."),
        "{warnings:?}"
    );
}

#[test]
fn program_takes_the_place_of_cmd_and_its_signal() {
    let mut hooks = good("renew_signal = \"SIGHUP\"\ncommand { cmd = \"web\" }");
    hooks.set_program("/bin/web".into(), vec!["-v".into()]).unwrap();
    let program = hooks.commands.last().unwrap();
    assert_eq!((program.name.as_str(), program.stop_grace, program.restart), ("exec", None, Restart::Never));
    assert!(program.is_program && program.renew_signal.is_some());
    let refused = good("cmd = \"x\"").set_program("y".into(), Vec::new()).unwrap_err();
    assert_eq!(refused.to_string(), "cmd is set, and a program is given after --: keep one of them");
}

//! All who are told, together: who ends whom, and with what.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsString;
use std::time::Duration;

use finial_daemon::{Clock, hcl};
use rustix::process::Signal;

use super::{Ended, Hooks, grace};
use crate::HookConfig;
use crate::fixtures::{Ears, Writer, bounded};
use crate::vitals::Vitals;

fn config(text: &str) -> HookConfig {
    HookConfig::take(&mut hcl::parse(text, "h.conf").unwrap()).unwrap()
}

fn command(ears: &Ears, name: &str, script: &str) -> String {
    let arguments = ears.script(script).arguments;
    let quoted = arguments.iter().map(|argument| format!("{:?}", argument.to_str().unwrap()));
    let list = quoted.collect::<Vec<_>>().join(", ");
    format!("command {{ name = \"{name}\" cmd = \"/bin/sh\" cmd_args = [{list}] }}\n")
}

#[tokio::test]
async fn one_that_hangs_holds_up_no_other() {
    let mut ears = Ears::new();
    let hook = command(&ears, "hangs", "while :; do sleep 1; done").replacen("command", "hook", 1);
    let good = command(&ears, "good", "echo good > $1").replacen("command", "hook", 1);
    let clock = Clock::system();
    let (vitals, (writer, deliveries)) = (Vitals::new(&clock), Writer::new());
    let hooks = Hooks::start(&config(&(hook + &good)), &deliveries, &vitals, &clock).unwrap();
    writer.deliver();
    assert_eq!(ears.next().await, "good");
    drop(hooks);
}

#[tokio::test]
async fn all_commands_are_asked_to_end_by_the_signal_that_ends_the_helper() {
    let mut ears = Ears::new();
    let script = r#"trap 'echo int > "$1"; exit 0' INT; echo up > "$1"; while :; do sleep 0.02; done"#;
    let text = command(&ears, "one", script) + &command(&ears, "two", script);
    let clock = Clock::system();
    let (vitals, (writer, deliveries)) = (Vitals::new(&clock), Writer::new());
    let hooks = Hooks::start(&config(&text), &deliveries, &vitals, &clock).unwrap();
    writer.deliver();
    assert_eq!((ears.next().await, ears.next().await), ("up".to_owned(), "up".to_owned()));
    assert_eq!(bounded(hooks.stop(Signal::INT)).await, None);
    assert_eq!((ears.next().await, ears.next().await), ("int".to_owned(), "int".to_owned()));
}

#[test]
fn as_long_as_the_slowest_may_take_is_waited() {
    assert_eq!(grace(&HookConfig::default()), Some(Duration::ZERO));
    let two = "command { cmd = \"a\" stop_grace = \"1m\" }\ncommand { cmd = \"b\" }\nhook { cmd = \"c\" }";
    assert_eq!(grace(&config(two)), Some(Duration::from_secs(60)));
    let mut hooks = config(two);
    hooks.set_program("d".into(), Vec::<OsString>::new()).unwrap();
    assert_eq!(grace(&hooks), None);
}

#[tokio::test]
async fn nothing_ends_while_nobody_is_to_be_told() {
    let clock = Clock::system();
    let (vitals, (_writer, deliveries)) = (Vitals::new(&clock), Writer::new());
    let mut hooks = Hooks::start(&HookConfig::default(), &deliveries, &vitals, &clock).unwrap();
    tokio::select! {
        biased;
        ended = hooks.ended() => panic!("{ended:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(bounded(hooks.stop(Signal::TERM)).await, None);
    let _ = Ended::Program(0);
}

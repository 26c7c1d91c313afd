//! The table and the reader agree.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use finial_daemon::hcl::{Key, KeyState};

use super::keys;
use crate::Config;

/// The blocks that are read: the path of each, what opens it, what it must hold, and what closes it.
const BLOCKS: &[(&str, &str, &[&str], &str)] = &[
    ("", "", &[], ""),
    ("telemetry", "telemetry {", &[], "}"),
    ("health_checks", "health_checks {", &[], "}"),
    (
        "agent",
        "agent {",
        &["trust_domain = \"example.org\"", "server_address = \"a\"", "server_port = 1"],
        "",
    ),
    ("agent.sds", "sds {", &[], "}"),
    ("agent.experimental", "experimental {", &[], ""),
    ("agent.experimental.ratelimit", "ratelimit {", &[], "} } }"),
    (
        "plugins.KeyManager.disk",
        "plugins { KeyManager \"disk\" { plugin_data {",
        &["directory = \"/keys\""],
        "} }",
    ),
    ("plugins.NodeAttestor.x509pop", "NodeAttestor \"x509pop\" { plugin_data {", POP, "} }"),
    ("plugins.WorkloadAttestor.unix", "WorkloadAttestor \"unix\" { plugin_data {", &[], "} }"),
    ("plugins.WorkloadAttestor.docker", "WorkloadAttestor \"docker\" { plugin_data {", &[], "} }"),
    ("plugins.WorkloadAttestor.k8s", "WorkloadAttestor \"k8s\" { plugin_data {", &[], "} } }"),
];
const POP: &[&str] = &["private_key_path = \"/key\"", "certificate_path = \"/certificate\""];
const SILENT: Key = Key::works("agent.server_port", "1");

/// A configuration with this value for one key, and otherwise with what it must hold.
fn with(key: &Key, value: &str) -> String {
    let mut text = String::new();
    for (path, open, required, close) in BLOCKS {
        let is_here = key.block() == *path;
        let is_other = |line: &&&str| !is_here || line.split(' ').next() != Some(key.name());
        let kept: Vec<&str> = required.iter().filter(is_other).copied().collect();
        let line = if is_here { format!("{} = {value}", key.name()) } else { String::new() };
        text += &format!("{open}\n{}\n{line}\n{close}\n", kept.join("\n"));
    }
    text
}

fn read(text: &str) -> Result<Config, String> {
    Config::from_hcl(text, "agent.conf").map_err(|error| error.to_string())
}

/// The keys whose block is read, whatever becomes of them.
fn reachable() -> impl Iterator<Item = &'static Key> {
    keys().filter(move |key| BLOCKS.iter().any(|block| block.0 == key.block()) && key.path != "plugins")
}

#[test]
fn each_key_is_in_the_table_once_and_below_its_block() {
    let mut seen = BTreeSet::from([""]);
    let all: BTreeSet<&str> = keys().map(|key| key.path).collect();
    for key in keys() {
        assert!(seen.insert(key.path), "{} appears twice", key.path);
        let is_plugin = key.block().starts_with("plugins") && key.path.matches('.').count() == 2;
        let known =
            ["", "agent", "plugins.*.*"].contains(&key.block()) || is_plugin || all.contains(key.block());
        assert!(known, "{} is below no block", key.path);
    }
    assert!(seen.len() > 150, "{}", seen.len());
}

#[test]
fn no_key_of_the_table_is_unknown_to_the_reader() {
    for key in reachable() {
        let told = format!("{:?}", read(&with(key, "[[[1]]]")).map(|config| config.warnings));
        match key.state {
            KeyState::NotYet(_) if key.block() == "telemetry" => {
                assert!(told.contains(" must be a block"), "{told}");
            }
            KeyState::NotYet(_) => assert!(told.contains("is not supported yet: "), "{}: {told}", key.path),
            KeyState::Never(_) => assert!(told.contains("is not supported: "), "{}: {told}", key.path),
            KeyState::NoEffect(_) => assert!(told.contains(" has no effect: "), "{}: {told}", key.path),
            _ => assert!(told.contains(" must be "), "{}: {told}", key.path),
        }
        assert!(!told.contains("unknown key"), "{}: {told}", key.path);
    }
}

/// All that the least configuration says of itself; what is secret in it is not there.
fn all_of(config: &Config) -> String {
    format!("{config:?} {:?} {:?} {:?}", config.delivery, config.sds, config.trust_bundle)
        + &format!("{:?} {:?}", config.telemetry, config.health)
        + &format!("{:?} {:?} {:?}", config.log, config.rebootstrap_mode, config.rebootstrap_delay)
}

#[test]
fn each_key_may_say_its_default() {
    let silent = all_of(&read(&with(&SILENT, "1")).unwrap());
    for key in reachable().filter(|key| !key.default.is_empty() && key.name() != "MetricPrefix") {
        let is_list = key.default.starts_with(['[', '{']);
        let value = if is_list { key.default.to_owned() } else { format!("\"{}\"", key.default) };
        let config = read(&with(key, &value)).unwrap_or_else(|problem| panic!("{}: {problem}", key.path));
        assert_eq!(all_of(&config), silent, "{}", key.path);
        assert_eq!(config.warnings, Vec::<String>::new());
    }
}

#[test]
fn every_plugin_of_the_table_is_served_or_refused_by_name() {
    let text = with(&SILENT, "1");
    let agent = &text[..text.find("plugins {").unwrap()];
    for key in keys().filter(|key| key.block().starts_with("plugins.") && key.path.matches('.').count() == 2)
    {
        let (kind, name) = (key.block().trim_start_matches("plugins."), key.name());
        let others = ["KeyManager \"memory\" {}\n", "WorkloadAttestor \"unix\" {}\n"];
        let others: String = others.iter().filter(|other| !other.starts_with(kind)).copied().collect();
        let told = format!("{:?}", read(&format!("{agent}plugins {{\n{others}{kind} \"{name}\" {{ }} }}")));
        let is_refused = told.contains(&format!("\\\"{name}\\\" is not supported"));
        let refuses = matches!(key.state, KeyState::NotYet(_) | KeyState::Never(_));
        assert_eq!(is_refused, refuses, "{}: {told}", key.path);
    }
}

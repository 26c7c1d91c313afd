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
    ("server", "server {", &["trust_domain = \"example.org\"", "data_dir = \"/data\""], ""),
    ("server.ca_subject", "ca_subject {", &[], "}"),
    ("server.ratelimit", "ratelimit {", &[], "}"),
    ("server.experimental", "experimental {", &[], "}"),
    ("server.federation", "federation {", &[], "} }"),
    ("plugins.DataStore.sql", "plugins { DataStore \"sql\" { plugin_data {", STORE, "} }"),
    ("plugins.KeyManager.disk", "KeyManager \"disk\" { plugin_data {", &["keys_path = \"/keys\""], "} }"),
    ("plugins.NodeAttestor.x509pop", "NodeAttestor \"x509pop\" { plugin_data {", &[CA], "} } }"),
];
const STORE: &[&str] = &["database_type = \"sqlite3\"", "connection_string = \"/db\""];
const CA: &str = "ca_bundle_path = \"/ca.pem\"";

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
    Config::from_hcl(text, "server.conf").map_err(|error| error.to_string())
}

/// The keys whose block is read, whatever becomes of them.
fn reachable() -> impl Iterator<Item = &'static Key> {
    let other = ["plugins", "plugins.NodeAttestor.x509pop.svid_prefix"];
    keys().filter(move |key| BLOCKS.iter().any(|block| block.0 == key.block()) && !other.contains(&key.path))
}

#[test]
fn each_key_is_in_the_table_once_and_below_its_block() {
    let mut seen = BTreeSet::from([""]);
    let all: BTreeSet<&str> = keys().map(|key| key.path).collect();
    for key in keys() {
        assert!(seen.insert(key.path), "{} appears twice", key.path);
        let is_kind = key.block().starts_with("plugins") && key.path.matches('.').count() == 2;
        let known =
            ["", "server", "plugins.*.*"].contains(&key.block()) || is_kind || all.contains(key.block());
        assert!(known, "{} is below no block", key.path);
    }
    assert!(seen.len() > 300, "{}", seen.len());
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
            KeyState::NoEffect(_) => {
                let is_checked = told.contains(" must be ");
                assert!(is_checked || told.contains(" has no effect: "), "{}: {told}", key.path);
            }
            _ => assert!(told.contains(" must be "), "{}: {told}", key.path),
        }
        assert!(!told.contains("unknown key"), "{}: {told}", key.path);
    }
}

#[test]
fn each_key_may_say_its_default() {
    let silent = read(&with(&Key::works("server.trust_domain", ""), "\"example.org\"")).unwrap();
    for key in reachable().filter(|key| {
        !key.default.is_empty() && key.name() != "MetricPrefix" && key.block() != "server.ca_subject"
    }) {
        let is_list = key.default.starts_with(['[', '{']);
        let value = if is_list { key.default.to_owned() } else { format!("\"{}\"", key.default) };
        let config = read(&with(key, &value)).unwrap_or_else(|problem| panic!("{}: {problem}", key.path));
        assert_eq!(format!("{config:?}"), format!("{silent:?}"), "{}", key.path);
    }
}

#[test]
fn every_plugin_of_the_table_is_served_or_refused_by_name() {
    let plugins =
        keys().filter(|key| key.block().starts_with("plugins.") && key.path.matches('.').count() == 2);
    for key in plugins {
        let (kind, name) = (key.block().trim_start_matches("plugins."), key.name());
        let text = with(&Key::works("server.trust_domain", ""), "\"example.org\"");
        let begin = text.find("plugins {").unwrap();
        let told = format!("{:?}", read(&format!("{}plugins {{ {} }}", &text[..begin], plugin(kind, name))));
        let is_refused = told.contains(&format!("\\\"{name}\\\" is not supported yet: "));
        assert_eq!(is_refused, matches!(key.state, KeyState::NotYet(_)), "{}: {told}", key.path);
    }
}

/// The plugins that a server must have, with this one.
fn plugin(kind: &str, name: &str) -> String {
    let store = format!("DataStore \"sql\" {{ plugin_data {{ {} }} }}", STORE.join(" "));
    let others = [("DataStore", store.as_str()), ("KeyManager", "KeyManager \"memory\" {}")];
    let others = others.iter().filter(|(other, _)| *other != kind).map(|(_, text)| format!("{text}\n"));
    others.collect::<String>() + &format!("{kind} \"{name}\" {{ }}")
}

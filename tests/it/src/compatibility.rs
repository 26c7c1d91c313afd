//! `docs/compatibility.md` against the programs: each RPC is called, each command asked for its flags, each key looked up.
//!
//! Its tables have a scope, a state and names: a service and its RPCs, a command and its flags. What SPIRE has is listed in
//! files of this repository, so that a row that lies is named, and so is one that is missing.

mod calls;
mod keys;

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{finial, run};

use self::calls::Callers;

/// A row, taken apart: the state of one name below one scope.
#[derive(Debug)]
struct Row {
    scope: String,
    name: String,
    state: String,
}

const PAGE: &str = "docs/compatibility.md";

/// A file of this repository.
fn read(path: &str) -> String {
    std::fs::read_to_string(place(path)).unwrap()
}

fn write(path: &str, text: &str) {
    std::fs::write(place(path), text).unwrap();
}

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The rows of all tables whose first column is called `kind`. An empty scope is that of the row above.
fn rows(kind: &str) -> Vec<Row> {
    let (mut rows, mut scopes, mut is_kind) = (Vec::new(), Vec::new(), false);
    for line in read(PAGE).lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells[..] {
            [first, "state", _] => is_kind = first == kind,
            [scope, state, names] if is_kind && !state.starts_with("---") => {
                if !scope.is_empty() {
                    scopes = quoted(scope);
                }
                for scope in &scopes {
                    let row = |name| Row { scope: scope.clone(), name, state: state.to_owned() };
                    rows.extend(names_of(names).into_iter().map(row));
                }
            }
            [_, _, _] => {}
            _ => is_kind = false,
        }
    }
    assert!(!rows.is_empty(), "there is no table of a {kind}");
    rows
}

/// The names in a cell: those before the reason of their row, which stands behind a colon and ends at a semicolon.
fn names_of(cell: &str) -> Vec<String> {
    cell.split(';').flat_map(|part| quoted(part.split(": ").next().unwrap_or_default())).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What the page says of a name: it must say it once.
fn state<'a>(rows: &'a [Row], scope: &str, name: &str) -> &'a str {
    let found: Vec<_> = rows.iter().filter(|row| row.scope == scope && row.name == name).collect();
    match found[..] {
        [row] => &row.state,
        [] => panic!("{PAGE} does not say what is with `{name}` of `{scope}`"),
        _ => panic!("{PAGE} says several things of `{name}` of `{scope}`: {found:?}"),
    }
}

/// Each service of SPIRE's API SDK with its RPCs, and those of the Workload API and of Envoy.
fn services() -> BTreeMap<String, Vec<String>> {
    let mut services = BTreeMap::<_, Vec<_>>::new();
    let mut service = None;
    for line in read("base/wire/src/descriptors/spire-api-sdk-1.15.2.txt").lines() {
        match (line.strip_prefix("service "), line.strip_prefix("  "), &service) {
            (Some(name), _, _) => service = Some(name.to_owned()),
            (None, Some(method), Some(service)) => {
                let name = method.split(' ').next().unwrap().to_owned();
                services.entry(service.clone()).or_default().push(name);
            }
            _ => service = None,
        }
    }
    assert!(services.len() > 10 && services.values().flatten().count() > 60, "{services:?}");
    let mut more = |service: &str, methods: &[&str]| {
        services.insert(service.to_owned(), methods.iter().map(ToString::to_string).collect());
    };
    more(
        "SpiffeWorkloadAPI",
        &[
            "FetchX509SVID",
            "FetchX509Bundles",
            "FetchJWTSVID",
            "FetchJWTBundles",
            "ValidateJWTSVID",
            "FetchWITSVID",
            "FetchWITBundles",
        ],
    );
    more(
        "envoy.service.secret.v3.SecretDiscoveryService",
        &["StreamSecrets", "DeltaSecrets", "FetchSecrets"],
    );
    services
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rpc_is_served_as_the_page_says() {
    let (rows, callers) = (rows("service"), Callers::start().await);
    for (service, methods) in services() {
        for method in methods {
            let state = state(&rows, &service, &method);
            let is_served = callers.is_served(&service, &method).await;
            let says = match state {
                "works" | "differs" => true,
                "not yet" => false,
                other => panic!("`{method}` of `{service}`: {other:?} is no state of an RPC"),
            };
            assert_eq!(is_served, says, "`{method}` of `{service}` is {state:?} on the page");
        }
    }
    let known = services();
    for row in &rows {
        let is_ours = row.state == "ours" && row.scope.starts_with("finial.");
        let is_known = known.get(&row.scope).is_some_and(|methods| methods.contains(&row.name));
        assert!(is_ours || is_known, "SPIRE has no `{}` of `{}`", row.name, row.scope);
        if is_ours {
            assert!(callers.is_served(&row.scope, &row.name).await, "`{}` of `{}`", row.name, row.scope);
        }
    }
}

/// The commands of SPIRE 1.15 and their flags: `spire-server entry count` → `output`, …
fn commands() -> Vec<(String, Vec<String>)> {
    let text = read("tests/cli/spire-1.15");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let command = |line: &str| {
        let (command, flags) = line.split_once(':').unwrap();
        // Most commands ask somebody, and take the same three flags for that.
        let flags = flags.replace(" +", " instance output socketPath");
        (command.to_owned(), flags.split_whitespace().map(str::to_owned).collect())
    };
    lines.map(command).collect()
}

#[test]
fn each_command_and_flag_is_there_as_the_page_says() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["spire-server", "spire-agent"] {
        symlink(finial(), folder.path().join(name)).unwrap();
    }
    let (verbs, flags) = (rows("program"), rows("command"));
    for (command, of_spire) in commands() {
        let (program, words) = command.split_once(' ').unwrap();
        let ask = |more: &[&str]| {
            let mut line = Command::new(folder.path().join(program));
            run(line.args(words.split(' ')).args(more))
        };
        let (told, says) = (ask(&["-h"]).stderr, state(&verbs, program, words));
        if says == "not yet" {
            let refused = ask(&[]);
            let is_refused =
                refused.status.code() == Some(1) && refused.stderr.contains("is not supported yet");
            assert!(is_refused, "`{command}` is {says:?} on the page:\n{}", refused.stderr);
            continue;
        }
        assert!(["works", "differs"].contains(&says), "`{command}`: {says:?} is no state of a command");
        assert!(told.starts_with(&format!("Usage of {words}:\n")), "`{command}` is {says:?}:\n{told}");
        for flag in of_spire {
            let says = says_of_flag(&flags, words, &flag);
            let is_there =
                told.lines().any(|line| line.split_whitespace().next() == Some(format!("-{flag}").as_str()));
            assert_eq!(
                is_there,
                says != "not yet",
                "`-{flag}` of `{command}` is {says:?} on the page:\n{told}"
            );
        }
    }
}

/// By the row of the command, or by the one for all of them.
fn says_of_flag<'a>(rows: &'a [Row], command: &str, flag: &str) -> &'a str {
    let name = format!("-{flag}");
    let is_own = rows.iter().any(|row| row.scope == command && row.name == name);
    let says = state(rows, if is_own { command } else { "…" }, &name);
    assert!(["works", "differs", "not yet"].contains(&says), "`{name}` of `{command}`: {says:?} is no state");
    says
}

#[test]
fn each_row_about_a_flag_is_about_one_of_spires() {
    let commands = commands();
    for row in rows("command") {
        let of = |(command, flags): &(String, Vec<String>)| {
            let words = command.split_once(' ').map_or("", |(_, words)| words);
            let has = flags.iter().any(|flag| row.name == format!("-{flag}"));
            has && (row.scope == "…" || row.scope == words)
        };
        let is_ours = row.state == "ours";
        assert!(is_ours || commands.iter().any(of), "SPIRE has no `{}` of `{}`", row.name, row.scope);
    }
}

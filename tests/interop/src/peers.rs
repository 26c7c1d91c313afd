//! What `peers.toml` says, read without a TOML parser: a name in brackets, then `key = value` lines.

use std::path::PathBuf;
use std::process::Command;

use finial_testkit::{installed, run, skip};

const PEERS: &str = include_str!("../peers.toml");
const REQUIREMENTS: &str = include_str!("../requirements.txt");

struct Peer {
    name: &'static str,
    from: &'static str,
    required: bool,
}

fn peers() -> Vec<Peer> {
    let mut peers: Vec<Peer> = Vec::new();
    let lines = PEERS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            peers.push(Peer { name, from: "", required: false });
            continue;
        }
        let peer = peers.last_mut().expect("a name comes first");
        match line.split_once(" = ").expect("key = value") {
            ("from", value) => peer.from = value.trim_matches('"'),
            ("required", value) => peer.required = value.parse().expect("true or false"),
            (key, _) => panic!("{}: {key} is not a key of peers.toml", peer.name),
        }
    }
    peers
}

/// A peer that was found, else `None` after saying that the test is skipped.
pub(crate) fn peer<T>(name: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        let peers = peers();
        let peer = peers.iter().find(|peer| peer.name == name).expect("it is in peers.toml");
        skip(name, peer.required, &format!("not installed (from {})", peer.from));
    }
    found
}

/// A peer that is a program of this machine.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    peer(name, installed(name))
}

/// What only an administrator can run who may mount, if this is one.
pub(crate) fn privileged<T>(name: &str, found: Option<T>) -> Option<T> {
    let found = peer(name, found)?;
    let may_mount =
        run(Command::new("unshare").args(["--mount", "--pid", "--fork", "true"])).status.success();
    if !may_mount {
        skip(name, false, "needs root, and the right to mount");
    }
    may_mount.then_some(found)
}

#[test]
fn every_peer_says_where_it_comes_from() {
    for peer in peers() {
        match peer.from.split_once(": ").expect("<registry>: <package>") {
            ("PyPI", package) => assert!(REQUIREMENTS.lines().any(|line| line == package), "{package}"),
            ("Debian" | "Debian bookworm" | "Debian sid" | "crates.io", _) => {}
            (registry, _) => panic!("{}: {registry} is not a registry that is used here", peer.name),
        }
    }
}

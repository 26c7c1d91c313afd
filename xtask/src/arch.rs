//! The direction of arrows: which room may depend on which, read from `cargo metadata`.

use std::{collections::BTreeMap, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The rooms of each floor, in the order of the flow. A room depends only on rooms before it.
const BASE: &[&str] = &["identity", "wire", "daemon", "keys", "store"];
const FLOW: &[&str] = &["attest", "authorize", "issue", "provide", "receive", "tls"];
const SDK: &[&str] = &["finial", "finial-postgres"];
const PROGRAMS: &[&str] = &["server", "agent", "proxy", "helper", "cli"];

/// The sdk's first room, which is for the programs of others: it shows what ours have from the rooms themselves.
const FACADE: Place = Place::Sdk(0);

/// Crates that only one room may use, and why.
const ONLY_IN: &[(&str, &str, &str)] = &[
    ("prost", "base/wire", "sees proto types"),
    ("prost-types", "base/wire", "sees proto types"),
    ("tonic-prost", "base/wire", "sees proto types"),
    ("tokio-postgres", "sdk/finial-postgres", "connects to PostgreSQL"),
    ("deadpool", "sdk/finial-postgres", "connects to PostgreSQL"),
];

/// Names that say nothing of what a room holds.
const EMPTY_NAMES: &[&str] = &["common", "util", "utils", "helpers", "core", "misc"];

/// Fails with one line for each arrow, name or opening line that breaks the rules of ARCHITECTURE.md.
pub(crate) fn check(root: &Path) -> Result<()> {
    let rooms = rooms(root)?;
    let faults: Vec<String> = rooms.values().flat_map(|room| faults(room, &rooms)).collect();
    if !faults.is_empty() {
        bail!("{} rule(s) of ARCHITECTURE.md broken:\n  {}", faults.len(), faults.join("\n  "));
    }
    println!("{} rooms, every arrow points down and left", rooms.len());
    Ok(())
}

struct Room {
    package: String,
    folder: String,
    place: Option<Place>,
    uses: Vec<Use>,
    opening: String,
}

struct Use {
    package: String,
    in_tests_only: bool,
}

/// Where a room stands: floor, then position on the floor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Base(usize),
    Flow(usize),
    Plugin,
    Sdk(usize),
    Program(usize),
    Tests,
}

impl Place {
    fn of(folder: &str) -> Option<Self> {
        let on = |floor: &[&str], name: &str| floor.iter().position(|room| *room == name);
        match folder.split_once('/') {
            Some(("base", name)) => on(BASE, name).map(Self::Base),
            Some(("flow", name)) => on(FLOW, name).map(Self::Flow),
            Some(("programs", name)) => on(PROGRAMS, name).map(Self::Program),
            Some(("plugins", _)) => Some(Self::Plugin),
            Some(("sdk", name)) => on(SDK, name).map(Self::Sdk),
            Some(("tests", _)) => Some(Self::Tests),
            None if folder == "benches" || folder == "xtask" => Some(Self::Tests),
            _ => None,
        }
    }

    /// Whether a room here may depend on a room there.
    fn may_use(self, other: Self) -> bool {
        match (self, other) {
            (Self::Tests, _) => true,
            (_, Self::Tests) => false,
            // Programs do not know each other; the binary, last on the floor, knows them all.
            (Self::Program(me), Self::Program(them)) => me == PROGRAMS.len() - 1 && them < me,
            (Self::Plugin | Self::Sdk(_), Self::Plugin) => false,
            (Self::Program(_), facade) if facade == FACADE => false,
            _ => other < self,
        }
    }
}

fn rooms(root: &Path) -> Result<BTreeMap<String, Room>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cargo metadata did not start")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    packages.iter().map(|package| room(root, package).map(|room| (room.package.clone(), room))).collect()
}

fn room(root: &Path, package: &Value) -> Result<Room> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = text(&package["manifest_path"]);
    let folder = Path::new(&manifest).parent().context("a manifest has a folder")?;
    let uses = package["dependencies"].as_array().into_iter().flatten();
    let root_file =
        ["src/lib.rs", "src/main.rs"].map(|file| folder.join(file)).into_iter().find(|f| f.exists());
    let folder = folder.strip_prefix(root)?.to_string_lossy().into_owned();
    Ok(Room {
        package: text(&package["name"]),
        place: Place::of(&folder),
        folder,
        uses: uses
            .map(|it| Use { package: text(&it["name"]), in_tests_only: it["kind"].as_str() == Some("dev") })
            .collect(),
        opening: match root_file {
            Some(file) => std::fs::read_to_string(file)?.lines().next().unwrap_or_default().to_owned(),
            None => "//! ".to_owned(),
        },
    })
}

fn faults(room: &Room, rooms: &BTreeMap<String, Room>) -> Vec<String> {
    let name = &room.folder;
    let Some(place) = room.place else {
        return vec![format!("{name}: not a room of xtask/src/arch.rs; give it its place in the flow there")];
    };
    let mut faults = Vec::new();
    if name.rsplit('/').next().is_some_and(|last| EMPTY_NAMES.contains(&last)) {
        faults.push(format!("{name}: name a room for what it holds"));
    }
    if !room.opening.starts_with("//! ") {
        faults.push(format!("{name}: open the crate with a `//!` sentence that names its stage"));
    }
    for arrow in &room.uses {
        let owned = ONLY_IN.iter().find(|(package, ..)| *package == arrow.package);
        if let Some((_, owner, does)) = owned
            && name != owner
            && place != Place::Tests
            && !arrow.in_tests_only
        {
            faults.push(format!("{name} → {}: only {owner} {does}", arrow.package));
        }
        let Some(other) = rooms.get(&arrow.package) else { continue };
        if other.place.is_some_and(|other| !place.may_use(other)) {
            let kind = if arrow.in_tests_only { " (in its tests)" } else { "" };
            faults.push(format!("{name} → {}{kind}: arrows point down, and left in the flow", other.folder));
        }
    }
    faults
}

#[cfg(test)]
mod tests;

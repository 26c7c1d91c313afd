//! The rule itself: what may use what.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::{Place, Room, Use, faults};

fn place(folder: &str) -> Place {
    Place::of(folder).unwrap()
}

fn fault_count(folder: &str, uses: &str) -> usize {
    let room = |folder: &str, uses: &[&str]| Room {
        package: folder.to_owned(),
        folder: folder.to_owned(),
        place: Place::of(folder),
        uses: uses.iter().map(|it| Use { package: (*it).to_owned(), in_tests_only: false }).collect(),
        opening: "//! Opens.".to_owned(),
    };
    let rooms: BTreeMap<_, _> = [(uses.to_owned(), room(uses, &[]))].into();
    faults(&room(folder, &[uses]), &rooms).len()
}

#[test]
fn arrows_point_down_and_left() {
    for (from, to) in [
        ("flow/issue", "flow/authorize"),
        ("flow/attest", "base/store"),
        ("base/store", "base/identity"),
        ("programs/cli", "programs/server"),
        ("plugins/docker", "flow/tls"),
        ("sdk/finial", "flow/tls"),
        ("sdk/finial-postgres", "sdk/finial"),
        ("programs/server", "sdk/finial-postgres"),
        ("tests/it", "programs/cli"),
    ] {
        assert!(place(from).may_use(place(to)), "{from} → {to}");
        assert_eq!(fault_count(from, to), 0, "{from} → {to}");
    }
}

#[test]
fn arrows_up_forward_or_sideways_are_faults() {
    for (from, to) in [
        ("flow/authorize", "flow/issue"),
        ("base/identity", "base/wire"),
        ("base/store", "flow/attest"),
        ("flow/tls", "programs/server"),
        ("programs/server", "programs/agent"),
        ("programs/server", "programs/cli"),
        ("plugins/docker", "plugins/k8s"),
        ("sdk/finial", "programs/server"),
        ("sdk/finial", "sdk/finial-postgres"),
        ("programs/server", "sdk/finial"),
        ("flow/tls", "tests/testkit"),
    ] {
        assert_eq!(fault_count(from, to), 1, "{from} → {to}");
    }
}

#[test]
fn a_room_without_a_place_is_a_fault() {
    assert_eq!(fault_count("base/misc", "base/identity"), 1);
}

#[test]
fn a_crate_of_one_room_is_a_fault_in_another() {
    for (package, owner, other) in [
        ("prost", "base/wire", "flow/authorize"),
        ("tokio-postgres", "sdk/finial-postgres", "programs/server"),
    ] {
        assert_eq!(fault_count(other, package), 1, "{other} → {package}");
        assert_eq!(fault_count(owner, package), 0, "{owner} → {package}");
    }
}

//! The units of deploy/systemd, as they are, in a booted system: server, agent and proxy, and a request through them; and a
//! helper, whose files are there when its unit is.

use std::path::PathBuf;
use std::process::Command;

use finial_testkit::run;

use super::system::{SERVER, System, units};
use crate::peers;
use crate::proxy::Backend;

const CLIENT: &str = "spiffe://example.org/ns/example/sa/client-sa";
const HELPER: &str = "spiffe://example.org/ns/example/sa/helper-sa";
/// The most that `systemd-analyze security` may find exposed, in tenths: above 5.0 it calls it medium.
const EXPOSURE: &str = "--threshold=25";

#[test]
fn every_unit_is_understood_and_locked_in() {
    let Some(analyze) = peers::program("systemd-analyze") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let program = finial_testkit::finial();
    for unit in units() {
        // systemd asks whether the program is there.
        let text = std::fs::read_to_string(&unit).expect("a unit");
        let text = text.replace("/usr/bin/finial", &program.to_string_lossy());
        std::fs::write(folder.path().join(unit.file_name().expect("a name")), text).expect("its copy");
    }
    let file = |unit: &PathBuf| folder.path().join(unit.file_name().expect("a name"));
    let verified = run(Command::new(&analyze).arg("verify").args(units().iter().map(file)));
    assert_eq!((verified.stderr.as_str(), verified.status.code()), ("", Some(0)), "{verified:?}");
    for service in units().iter().filter(|unit| unit.extension().is_some_and(|kind| kind == "service")) {
        run(Command::new(&analyze).args(["security", "--offline=true", EXPOSURE]).arg(file(service)))
            .expect_success();
    }
}

#[test]
fn units_of_systemd_carry_a_request_over_mutual_tls() {
    let backend = Backend::start();
    let Some(system) = System::boot(backend.port()) else { return };
    system.start();
    let helper = "finial-helper@daemon.service";
    for (id, unit) in [(SERVER, "finial-proxy.service"), (CLIENT, "client.service"), (HELPER, helper)] {
        system.entry(id, unit);
    }
    system.systemctl(&["start", "finial-proxy.socket"]);

    let (mut client, port) = system.client("client");
    client
        .until("answer", || crate::envoy::get(port, "/").filter(|answer| answer.contains(Backend::GREETING)));
    // A service without an entry has no identity to come with.
    let (mut stranger, _) = system.client("stranger");
    stranger.wait_for_log("no identity issued");
    system.help(helper);
}

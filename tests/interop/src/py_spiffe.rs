//! py-spiffe: a client of the Workload API with validators of its own, stricter than most.

use std::path::Path;
use std::process::Command;

use finial_testkit::{Dev, Process, python};

use crate::peers::peer;

const ID: &str = "spiffe://example.org/ns/interop/sa/python";

fn script(python: &Path, name: &str, dev: &Dev) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("py").join(name);
    let mut command = Command::new(python);
    // -B: no caches in the source tree.
    command.arg("-uB").arg(script).arg(ID).env("SPIFFE_ENDPOINT_SOCKET", dev.endpoint());
    Process::spawn(name, &mut command)
}

#[test]
fn py_spiffe_fetches_and_validates_svids_of_both_kinds() {
    let Some(python) = peer("py-spiffe", python("spiffe")) else { return };
    let dev = Dev::start();
    dev.identity(ID);
    let mut script = script(&python, "fetch_and_validate.py", &dev);
    let status = script.wait();
    assert!(status.success(), "{}", script.log());
    assert!(script.log().contains("ALL DONE"), "{}", script.log());
}

#[test]
fn py_spiffe_is_called_back_when_the_authority_is_rotated() {
    let Some(python) = peer("py-spiffe", python("spiffe")) else { return };
    let dev = Dev::start();
    dev.identity(ID);
    let mut script = script(&python, "follow_rotation.py", &dev);
    script.wait_for_log("READY");
    dev.rotate_ca();
    let status = script.wait();
    assert!(status.success(), "{}\n{}", script.log(), dev.log());
    assert!(script.log().contains("ROTATED"), "{}", script.log());
}

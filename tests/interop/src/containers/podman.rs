//! Podman, whose service speaks Docker's API.

use std::process::Command;

use finial_testkit::{Process, installed};
use tempfile::TempDir;

use super::{Domain, Engine, containers_are_told_apart};
use crate::peers::privileged;

struct Podman {
    folder: TempDir,
    service: Process,
}

impl Podman {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("podman.").tempdir_in("/tmp").unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("containers.conf"), SETTINGS).unwrap();
        let storage = format!(
            "[storage]\ndriver = \"vfs\"\nrunroot = \"{}\"\ngraphroot = \"{}\"\n",
            path("run").display(),
            path("graph").display()
        );
        std::fs::write(path("storage.conf"), storage).unwrap();
        Self { service: service(&folder), folder }
    }
}

fn service(folder: &TempDir) -> Process {
    let socket_file = folder.path().join("podman.sock");
    // One that was killed has left it behind.
    let _ = std::fs::remove_file(&socket_file);
    let mut command = command(folder);
    let mut service =
        Process::spawn("podman", command.args(["system", "service", "--time=0", &socket(folder)]));
    service.until("podman", || socket_file.exists().then_some(()));
    service
}

impl Engine for Podman {
    fn command(&self) -> Command {
        command(&self.folder)
    }

    fn setting(&self) -> String {
        format!("podman_socket_path = \"{}\"", socket(&self.folder))
    }
}

fn command(folder: &TempDir) -> Command {
    let mut command = Command::new("podman");
    command.env("CONTAINERS_CONF", folder.path().join("containers.conf"));
    command.env("CONTAINERS_STORAGE_CONF", folder.path().join("storage.conf"));
    command
}

fn socket(folder: &TempDir) -> String {
    format!("unix://{}", folder.path().join("podman.sock").display())
}

/// runc and cgroupfs need neither systemd nor a cgroup hierarchy of version 2; the limits are those of a container.
const SETTINGS: &str = r#"[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
"#;

#[test]
fn containers_of_podman_are_told_apart() {
    if privileged("podman", installed("podman")).is_none() {
        return;
    }
    containers_are_told_apart(&Podman::start());
}

#[test]
fn container_whose_engine_is_gone_may_ask_again() {
    if privileged("podman", installed("podman")).is_none() {
        return;
    }
    let (mut podman, folder) = (Podman::start(), tempfile::tempdir().unwrap());
    podman.import(folder.path());
    let domain = Domain::start(&podman);
    domain.entry("web", "docker:label:app:web");
    domain.expect(&podman, &["--label=app=web"], &["web"]);
    podman.service.kill();
    let refused = podman.fetch(&domain.pair, &["--label=app=web"]);
    assert!(refused.stderr.contains("no answer from docker"), "{refused:?}");
    podman.service = service(&podman.folder);
    domain.expect(&podman, &["--label=app=web"], &["web"]);
}

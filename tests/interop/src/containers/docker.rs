//! dockerd, with its own containerd.

use std::path::Path;
use std::process::Command;

use finial_testkit::{Process, installed, run};
use tempfile::TempDir;

use super::{Engine, containers_are_told_apart};
use crate::peers::privileged;

struct Docker {
    folder: TempDir,
    daemon: Process,
}

impl Docker {
    fn start(dockerd: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("docker.").tempdir_in("/tmp").unwrap();
        let mut command = Command::new(dockerd);
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
        for (flag, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            command.arg(flag).arg(folder.path().join(name));
        }
        command.arg("--host").arg(socket(&folder));
        let mut docker = Self { daemon: Process::spawn("dockerd", &mut command), folder };
        let mut version = docker.command();
        version.arg("version");
        docker.daemon.until("docker", || run(&mut version).status.success().then_some(()));
        docker
    }
}

impl Engine for Docker {
    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", socket(&self.folder)).env("DOCKER_CONFIG", self.folder.path());
        command
    }

    fn setting(&self) -> String {
        format!("docker_socket_path = \"{}\"", socket(&self.folder))
    }
}

impl Drop for Docker {
    /// Lets it end what it has started.
    fn drop(&mut self) {
        run(Command::new("kill").arg(self.daemon.id().to_string()));
        self.daemon.wait();
    }
}

fn socket(folder: &TempDir) -> String {
    format!("unix://{}", folder.path().join("docker.sock").display())
}

#[test]
fn containers_of_docker_are_told_apart() {
    let Some(dockerd) = privileged("dockerd", installed("dockerd")) else { return };
    containers_are_told_apart(&Docker::start(&dockerd));
}

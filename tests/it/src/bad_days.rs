//! Days on which programs are killed, files are damaged, and sockets vanish: with real processes.

use std::{
    os::unix::net::UnixStream,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use finial_testkit::{Process, finial, run, until};

/// `finial dev` on a folder that outlives it.
struct Dev<'a>(&'a Path);

impl Dev<'_> {
    fn start(&self) -> Process {
        let process = self.spawn();
        until("healthy agent", || self.cli(&["agent", "healthcheck"]).status.success().then_some(()));
        process
    }

    fn spawn(&self) -> Process {
        Process::spawn("dev", Command::new(finial()).args(["dev", "--data-dir"]).arg(self.0))
    }

    fn cli(&self, args: &[&str]) -> finial_testkit::Finished {
        let agent = format!("unix://{}", self.0.join("agent.sock").display());
        let server = self.0.join("server.sock");
        let mut command = Command::new(finial());
        run(command
            .args(args)
            .env("SPIFFE_ENDPOINT_SOCKET", agent)
            .env("SPIRE_SERVER_PRIVATE_SOCKET", server))
    }

    fn give_this_user_an_identity(&self) {
        let selector = format!("unix:uid:{}", rustix::process::geteuid().as_raw());
        self.cli(&[
            "entry",
            "create",
            "-parentID",
            "spiffe://example.org/dev/node",
            "-spiffeID",
            "spiffe://example.org/web",
            "-selector",
            &selector,
        ])
        .expect_success();
    }

    fn identity_arrives(&self) {
        until("identity", || self.cli(&["api", "fetch", "x509"]).status.success().then_some(()));
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("finial").tempdir().unwrap()
}

#[test]
fn killed_under_load_everything_that_was_promised_is_there() {
    let folder = folder();
    let dev = Dev(folder.path());
    let mut process = dev.start();
    dev.give_this_user_an_identity();
    dev.identity_arrives();
    for round in 0..3 {
        let acknowledged = AtomicUsize::new(0);
        let made: Vec<String> = std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                let create = |n: usize| {
                    let id = format!("spiffe://example.org/load/{round}/{n}");
                    let args = [
                        "entry",
                        "create",
                        "-parentID",
                        "spiffe://example.org/dev/node",
                        "-spiffeID",
                        &id,
                        "-selector",
                        "unix:uid:1",
                    ];
                    dev.cli(&args).status.success().then(|| {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                        id
                    })
                };
                (0..200).map_while(create).collect()
            });
            until("first entries", || (acknowledged.load(Ordering::Relaxed) >= 5).then_some(()));
            process.kill();
            load.join().unwrap()
        });
        assert!((5..200).contains(&made.len()), "it was not killed under load: {} entries", made.len());
        process = dev.start();
        let entries = dev.cli(&["entry", "show"]).expect_success();
        for id in &made {
            assert!(entries.contains(id.as_str()), "{id} was acknowledged, and is lost");
        }
        dev.identity_arrives();
    }
}

#[test]
fn a_damaged_key_file_is_named_and_set_aside() {
    let folder = folder();
    let dev = Dev(folder.path());
    dev.start().kill();
    let keys = folder.path().join("server/keys.json");
    std::fs::write(&keys, b"{ torn").unwrap();

    let process = dev.start();
    assert!(process.log().contains("keys.json"), "the log does not name the file:\n{}", process.log());
    dev.give_this_user_an_identity();
    dev.identity_arrives();
}

#[test]
fn without_any_good_generation_of_keys_the_server_says_so_and_touches_nothing() {
    let folder = folder();
    let dev = Dev(folder.path());
    dev.start().kill();
    for name in ["server/keys.json", "server/keys.json.prev"] {
        std::fs::write(folder.path().join(name), b"{ torn").unwrap();
    }
    let mut process = dev.spawn();
    assert!(!process.wait().success());
    assert!(process.log().contains("keys.json"), "{}", process.log());
    assert_eq!(std::fs::read(folder.path().join("server/keys.json")).unwrap(), b"{ torn");
}

#[test]
fn a_second_agent_on_the_same_socket_is_refused_by_name() {
    let folder = folder();
    let dev = Dev(folder.path());
    let first = dev.start();
    let mut second = dev.spawn();
    assert!(!second.wait().success());
    assert!(second.log().contains("another"), "{}", second.log());
    dev.cli(&["agent", "healthcheck"]).expect_success();
    drop(first);
}

#[test]
fn a_socket_file_that_is_deleted_comes_back() {
    let folder = folder();
    let dev = Dev(folder.path());
    let _process = dev.start();
    let socket = folder.path().join("agent.sock");
    std::fs::remove_file(&socket).unwrap();
    until("socket file", || UnixStream::connect(&socket).ok());
    dev.cli(&["agent", "healthcheck"]).expect_success();
}

#[test]
fn dev_joins_again_by_itself_when_its_agent_is_forgotten() {
    let folder = folder();
    let dev = Dev(folder.path());
    let mut process = dev.start();
    dev.give_this_user_an_identity();
    dev.identity_arrives();
    let agents = dev.cli(&["agent", "list"]).expect_success();
    let agent = agents.lines().find_map(|line| line.strip_prefix("SPIFFE ID         : ")).unwrap();
    dev.cli(&["agent", "evict", "-spiffeID", agent]).expect_success();
    process.wait_for_log("joining again");
    dev.identity_arrives();
    assert!(!dev.cli(&["agent", "list"]).expect_success().contains(agent));
}

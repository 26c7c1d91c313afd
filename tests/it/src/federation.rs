//! Two trust domains: bundles exchanged by hand, mutual TLS from one to the other, and the end of the trust.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use finial_testkit::{Dev, Finished, Process, finial, free_port, until};

/// Within what time open connections end once their trust has gone.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// Two domains that know nothing of each other.
fn domains() -> (Dev, Dev) {
    (Dev::serving("near.test"), Dev::serving("far.test"))
}

/// Each gets the other's bundle: one by standard input as SPIFFE has it, one from a PEM file.
fn exchange_bundles(near: &Dev, far: &Dev) {
    let document = near.cli(&["bundle", "show", "-format", "spiffe"]).expect_success();
    let set = ["bundle", "set", "-id", "near.test", "-format", "spiffe"];
    assert_eq!(far.cli_with_input(&set, &document).expect_success(), "bundle set.\n");
    let file = near.folder().join("far.pem");
    std::fs::write(&file, far.cli(&["bundle", "show"]).expect_success()).unwrap();
    let set = ["bundle", "set", "-id", "spiffe://far.test", "-path", &file.to_string_lossy()];
    assert_eq!(near.cli(&set).expect_success(), "bundle set.\n");
}

/// Gives every process of this user an identity that trusts peers of another domain too.
fn federating_entry(dev: &Dev, domain: &str, name: &str, other: &str) {
    let (node, id) = (format!("spiffe://{domain}/dev/node"), format!("spiffe://{domain}/{name}"));
    let user = format!("unix:uid:{}", rustix::process::geteuid().as_raw());
    let entry = ["entry", "create", "-parentID", &node, "-spiffeID", &id, "-selector", &user];
    dev.cli(&[&entry[..], &["-federatesWith", other]].concat()).expect_success();
}

/// Accepts one connection after the other, and gives back what comes.
fn echo() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                // It ends however the caller ends it.
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    port
}

fn proxy(dev: &Dev, role: &str, listen: u16, target: u16, peer: [&str; 2]) -> Process {
    let mut command = Command::new(finial());
    command.args(["proxy", role, "--listen", &format!("127.0.0.1:{listen}")]);
    command.args(["--target", &format!("127.0.0.1:{target}"), "--use-workload-api-addr", &dev.endpoint()]);
    let mut process = Process::spawn(&format!("proxy {role}"), command.args(peer));
    process.wait_for_port(listen);
    process
}

/// Asks for an echo; `None` when the connection ends instead.
fn asked(stream: &mut TcpStream) -> Option<()> {
    let mut answer = [0; 4];
    stream.set_read_timeout(Some(CLOSED_WITHIN)).unwrap();
    stream.write_all(b"ping").ok()?;
    stream.read_exact(&mut answer).ok()?;
    assert_eq!(&answer, b"ping");
    Some(())
}

#[test]
fn workloads_of_two_trust_domains_talk_until_a_bundle_is_deleted() {
    let (near, far) = domains();
    exchange_bundles(&near, &far);
    federating_entry(&near, "near.test", "server", "far.test");
    federating_entry(&far, "far.test", "client", "spiffe://near.test");

    let (server_port, client_port) = (free_port(), free_port());
    let server = proxy(&near, "server", server_port, echo(), ["--allow-uri", "spiffe://far.test/client"]);
    let _client =
        proxy(&far, "client", client_port, server_port, ["--verify-uri", "spiffe://near.test/server"]);
    let mut open = until("echo through both proxies", || {
        let mut stream = TcpStream::connect(("127.0.0.1", client_port)).ok()?;
        asked(&mut stream).map(|()| stream)
    });

    let refused = near.cli(&["bundle", "delete", "-id", "far.test"]);
    let text = complaint(&refused);
    assert!(text.contains("cannot delete bundle; federated with 1 registration entries"), "{text}");
    asked(&mut open).expect("the refused deletion changes nothing");

    let delete = ["bundle", "delete", "-id", "far.test", "-mode", "dissociate"];
    assert_eq!(near.cli(&delete).expect_success(), "bundle deleted.\n");
    match open.read(&mut [0]) {
        Ok(count) => assert_eq!(count, 0, "the connection ends and says nothing more"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    let mut next = TcpStream::connect(("127.0.0.1", client_port)).unwrap();
    assert_eq!(asked(&mut next), None, "{}", server.log());
    assert!(!near.cli(&["entry", "show"]).expect_success().contains("FederatesWith"));
}

#[test]
fn bundles_of_other_trust_domains_are_set_listed_counted_and_deleted() {
    let (near, far) = domains();
    assert_eq!(near.cli(&["bundle", "count"]).expect_success(), "1 bundle\n");
    assert_eq!(near.cli(&["bundle", "list"]).expect_success(), "");
    exchange_bundles(&near, &far);
    assert_eq!(near.cli(&["bundle", "count"]).expect_success(), "2 bundles\n");

    let pem = far.cli(&["bundle", "show"]).expect_success();
    let line = "*".repeat(40);
    let listed = near.cli(&["bundle", "list"]).expect_success();
    assert_eq!(listed, format!("{line}\n* far.test\n{line}\n{pem}"));
    assert_eq!(near.cli(&["bundle", "list", "-id", "far.test"]).expect_success(), pem);
    let document = far.cli(&["bundle", "list", "-id", "near.test", "-format", "spiffe"]).expect_success();
    assert!(document.contains("\"jwt-svid\""), "{document}");

    let json = near.cli(&["bundle", "list", "-output", "json"]).expect_success();
    assert!(json.contains("\"trust_domain\":\"far.test\"") && json.contains("\"asn1\":\""), "{json}");
    let deleted = near.cli(&["bundle", "delete", "-id", "far.test", "-output", "json"]).expect_success();
    assert!(deleted.contains("\"message\":\"OK\""), "{deleted}");
    assert_eq!(near.cli(&["bundle", "count", "-output", "json"]).expect_success(), "{\"count\":1}\n");
}

#[test]
fn mistakes_with_bundles_are_answered_with_the_remedy() {
    let near = Dev::serving("near.test");
    let own = near.cli(&["bundle", "show"]).expect_success();
    for (args, input, remedy) in [
        (&["set"][..], own.as_str(), "give -id"),
        (&["set", "-id", "no domain"], &own, "-id \"no domain\""),
        (&["set", "-id", "near.test"], &own, "the server's own trust domain is not allowed"),
        (&["set", "-id", "far.test", "-path", "/nowhere"], "", "unable to load bundle data: /nowhere"),
        (&["set", "-id", "far.test"], "{}", "needs -format spiffe"),
        (&["set", "-id", "far.test", "-format", "spiffe"], "[]", "unable to parse to spiffe bundle"),
        (&["list", "-id", "far.test"], "", "bundle not found"),
        (&["delete"], "", "give -id"),
        (&["delete", "-id", "far.test"], "", "federated bundle \"far.test\": bundle not found"),
        (&["delete", "-id", "near.test"], "", "removing the bundle for the server trust domain"),
    ] {
        let finished = near.cli_with_input(&[&["bundle"], args].concat(), input);
        let text = complaint(&finished);
        assert!(text.starts_with("Error: "), "{args:?}: {text}");
        assert!(text.contains(remedy), "{args:?} does not say {remedy:?}: {text}");
    }
    let create = ["entry", "create", "-parentID", "spiffe://near.test/dev/node", "-selector", "unix:uid:1"];
    let create = [&create[..], &["-spiffeID", "spiffe://near.test/x", "-federatesWith", "far.test"]].concat();
    let finished = near.cli(&create);
    assert!(complaint(&finished).contains("set its bundle first"), "{}", finished.stderr);
}

fn complaint(finished: &Finished) -> &str {
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stdout);
    &finished.stderr
}

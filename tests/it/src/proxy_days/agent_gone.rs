//! An agent that is gone for longer than its SVIDs live, and comes back.

use std::process::Command;

use finial_testkit::{Pair, Process, finial, free_port, until};

use super::backend::Backend;
use super::{Proxy, Site, echo};

/// In seconds.
const TTL: &str = "8";

/// A proxy with the SVID of the agent, and one by which it is reached that needs no agent.
fn proxies(pair: &Pair, site: &Site) -> (Proxy, Proxy) {
    let agent = format!("unix://{}", pair.path("agent.sock"));
    let target = format!("unix:{}", site.path("backend").display());
    let server = spawn("server", &target, &["--use-workload-api-addr", &agent, "--disable-authentication"]);
    let bundle = pair.bundle().display().to_string();
    let target = format!("localhost:{}", server.port);
    let client = spawn("client", &target, &["--disable-authentication", "--cacert", &bundle]);
    (server, client)
}

fn spawn(side: &str, target: &str, flags: &[&str]) -> Proxy {
    let port = free_port();
    let mut command = Command::new(finial());
    command.args(["proxy", side, "--listen", &format!("127.0.0.1:{port}"), "--target", target]).args(flags);
    let mut process = Process::spawn(&format!("proxy {side}"), &mut command);
    process.wait_for_log("listening for connections on");
    Proxy { process, port }
}

#[test]
fn no_connection_is_taken_once_the_svid_has_expired_and_all_is_well_when_the_agent_is_back() {
    let (pair, site) = (Pair::new(), Site::new());
    let _backend = Backend::echoing(&site);
    let _server = pair.server();
    let (bundle, token) = (pair.bundle(), pair.token());
    let mut agent = pair.agent(&["-joinToken", &token, "-trustBundle", &bundle.to_string_lossy()]);
    let user = format!("unix:uid:{}", rustix::process::geteuid().as_raw());
    let entry = ["entry", "create", "-parentID", "spiffe://example.org/node", "-spiffeID"];
    let short = ["spiffe://example.org/web", "-selector", &user, "-dns", "localhost", "-x509SVIDTTL", TTL];
    pair.cli(&[&entry[..], &short[..]].concat()).expect_success();
    let (server, client) = proxies(&pair, &site);
    let open = client.dial();
    echo(&open).unwrap();

    agent.kill();
    // What it gave holds for as long as it lives.
    echo(&client.dial()).unwrap();
    until("the end of the SVID", || echo(&client.dial()).err());
    for _ in 0..10 {
        echo(&client.dial()).unwrap_err();
    }
    echo(&open).unwrap_err();

    let _agent = pair.agent(&[]);
    until("an echo after the agent is back", || echo(&client.dial()).ok());
    for _ in 0..10 {
        echo(&client.dial()).unwrap();
    }
    assert!(server.process.log().contains("expired"), "{}", server.process.log());
}

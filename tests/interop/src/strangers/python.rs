//! py-spiffe's TLS package, on either side of our proxy.

use std::path::Path;
use std::process::Command;

use finial_testkit::{Process, free_port, python, run};

use super::{Ground, ID, SOMEBODY_ELSE};
use crate::peers::peer;
use crate::proxy::{Backend, client_proxy, server_proxy};

fn script(ground: &Ground, python: &Path, args: [&str; 3]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("py/tls.py");
    let mut command = Command::new(python);
    // -B: no caches in the source tree.
    command.arg("-uB").arg(script).args(args).env("SPIFFE_ENDPOINT_SOCKET", ground.dev.endpoint());
    command
}

#[test]
fn py_spiffe_as_client_passes_by_its_id_alone() {
    let Some(python) = peer("py-spiffe-tls", python("spiffetls")) else { return };
    let ground = Ground::new();
    ground.admits(|port| run(&mut script(&ground, &python, ["dial", &address(port), ID])).stdout);
    let (_proxy, port) = server_proxy(&ground.dev, &ground.backend, ID);
    let refused = run(&mut script(&ground, &python, ["dial", &address(port), SOMEBODY_ELSE]));
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{refused:?}");
}

#[test]
fn py_spiffe_as_server_passes_by_its_id_alone() {
    let Some(python) = peer("py-spiffe-tls", python("spiffetls")) else { return };
    let ground = Ground::new();
    let (_server, port) = serve(&ground, &python, ID);
    ground.accepts(port);
    let (mut server, port) = serve(&ground, &python, SOMEBODY_ELSE);
    let (_proxy, front) = client_proxy(&ground.dev, port, ID);
    let refused = crate::envoy::get(front, "/").unwrap_or_default();
    assert!(!refused.contains(Backend::GREETING), "{refused}");
    server.wait_for_log("refused");
}

fn serve(ground: &Ground, python: &Path, admitted: &str) -> (Process, u16) {
    let port = free_port();
    let mut command = script(ground, python, ["serve", &address(port), admitted]);
    let mut server = Process::spawn_listening("py-spiffe", &mut command);
    server.tell(Backend::GREETING);
    server.wait_for_log("READY");
    (server, port)
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

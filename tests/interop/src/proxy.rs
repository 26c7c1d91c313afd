//! Our proxies and a backend that knows nothing of identities, for peers that are put before or behind them.

use std::process::Command;

use finial_testkit::{Dev, Process, example, finial, free_port};

/// The plain HTTP server of the quickstart. It ends when this is dropped.
pub(crate) struct Backend {
    _process: Process,
    port: u16,
}

impl Backend {
    /// How its answer begins.
    pub(crate) const GREETING: &str = "hello, whoever you have proved to be";

    /// The port on which it answers.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn start() -> Self {
        let port = free_port();
        let mut process = Process::spawn("hello", Command::new(example("hello")).arg(address(port)));
        process.wait_for_port(port);
        Self { _process: process, port }
    }
}

/// A proxy before `backend` that admits exactly `client`, and its port.
pub(crate) fn server_proxy(dev: &Dev, backend: &Backend, client: &str) -> (Process, u16) {
    proxy(dev, "server", backend.port, &["--allow-uri", client])
}

/// A proxy to what listens on the port `server`, which must be `id`, and its own port.
pub(crate) fn client_proxy(dev: &Dev, server: u16, id: &str) -> (Process, u16) {
    proxy(dev, "client", server, &["--verify-uri", id])
}

/// A proxy, `server` or `client`, to what listens on the port `target`, with these flags, and its own port.
pub(crate) fn proxy(dev: &Dev, side: &str, target: u16, flags: &[&str]) -> (Process, u16) {
    let port = free_port();
    let mut command = Command::new(finial());
    command.args(["proxy", side, "--listen", &address(port), "--target", &address(target)]);
    command.args(flags).args(["--use-workload-api-addr", &dev.endpoint()]);
    let mut process = Process::spawn(&format!("{side} proxy"), &mut command);
    process.wait_for_port(port);
    (process, port)
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

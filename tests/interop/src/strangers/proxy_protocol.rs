//! Parsers of the PROXY protocol that are not ours, behind each of our three modes: HAProxy for what it can show, and a
//! Python package for the rest.

use std::path::Path;
use std::process::Command;

use finial_testkit::{Process, free_port, python, run};
use serde_json::{Value, json};

use super::{Ground, ID, NAME, program};
use crate::peers::peer;
use crate::proxy::proxy;

/// Answers by what it read: the caller, and the name that it asked for.
const READER: &str = "defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend front
    bind 127.0.0.1:{port} accept-proxy
    http-request return status 200 content-type text/plain lf-string \"%[src] %[dst_port] %[fc_pp_authority]\\n\"
";

impl Ground {
    /// What the reader on the port `backend` says of a request that comes to it through our proxy, and the proxy's port.
    fn read_by(&self, backend: u16, mode: &str) -> (String, u16) {
        let flags = ["--allow-uri", ID, "--proxy-protocol-mode", mode];
        let (_proxy, port) = proxy(&self.dev, "server", backend, &flags);
        let mut command = Command::new("curl");
        command.current_dir(&self.svid).args(["--silent", "--show-error", "--max-time", "10", "--tlsv1.3"]);
        command.args(["--cert", "svid.0.pem", "--key", "svid.0.key", "--cacert", "bundle.0.pem"]);
        command.args(["--resolve", &format!("{NAME}:{port}:127.0.0.1")]);
        (run(command.arg(format!("https://{NAME}:{port}/"))).expect_success(), port)
    }
}

#[test]
fn haproxy_reads_the_header_of_every_mode() {
    let Some(haproxy) = program("haproxy") else { return };
    let ground = Ground::new();
    for (mode, name) in [("conn", ""), ("tls", NAME), ("tls-full", NAME)] {
        let (_haproxy, reader) = ground.start(&haproxy, &["-db", "-f"], READER, 0);
        let (answer, port) = ground.read_by(reader, mode);
        let wanted = format!("127.0.0.1 {port} {name}");
        assert_eq!(answer.trim_end(), wanted.trim_end(), "{mode}");
    }
}

#[test]
fn a_python_package_reads_the_header_of_every_mode() {
    let Some(python) = peer("proxy-protocol", python("proxyprotocol")) else { return };
    let ground = Ground::new();
    let reader = free_port();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("py/proxy_protocol.py");
    let mut command = Command::new(python);
    let mut process =
        Process::spawn("proxy-protocol", command.arg("-uB").arg(script).arg(format!("127.0.0.1:{reader}")));
    process.wait_for_port(reader);
    for mode in ["conn", "tls", "tls-full"] {
        let (answer, port) = ground.read_by(reader, mode);
        let told: Value = serde_json::from_str(&answer).expect("what it read");
        let (is_tls, is_full) = (mode != "conn", mode == "tls-full");
        assert_eq!(told["source"], "127.0.0.1", "{mode}");
        assert_eq!(told["dest"], json!(["127.0.0.1", port.to_string()]), "{mode}");
        assert_eq!(told["authority"], if is_tls { json!(NAME) } else { Value::Null }, "{mode}");
        assert_eq!(told["version"], if is_tls { json!("TLS 1.3") } else { Value::Null }, "{mode}");
        assert_eq!((&told["has_ssl"], &told["verified"]), (&json!(is_tls), &json!(is_tls)), "{mode}");
        assert_eq!(told["has_cert"], json!(is_full), "{mode}");
        assert_eq!(told["cn"], if is_full { json!(NAME) } else { Value::Null }, "{mode}");
        let certificate = if is_full { json!(ground.leaf()) } else { Value::Null };
        assert_eq!(told["certificate"], certificate, "{mode}");
    }
}

impl Ground {
    /// The certificate that the caller showed, as OpenSSL writes it, in hexadecimal.
    fn leaf(&self) -> String {
        let mut command = Command::new("openssl");
        command.current_dir(&self.svid).args([
            "x509",
            "-in",
            "svid.0.pem",
            "-outform",
            "DER",
            "-out",
            "leaf.der",
        ]);
        run(&mut command).expect_success();
        let der = std::fs::read(self.svid.join("leaf.der")).expect("the certificate");
        der.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

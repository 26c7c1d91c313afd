//! Prometheus, by its own parsers and linter, on what our programs tell of themselves.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use finial_testkit::{Dev, Pair, Process, finial, free_port, python, run_with_input};

use crate::peers::{peer, program};
use crate::proxy::{Backend, client_proxy, proxy};

const ID: &str = "spiffe://example.org/ns/interop/sa/prometheus";

/// Prints each sample as `name{labels} value`, in the words of the parser.
const PARSE: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        print(family.type, sample.name, sorted(sample.labels.items()), sample.value)
";

/// What a proxy tells after it has served one caller.
fn told() -> String {
    let dev = Dev::start();
    dev.identity(ID);
    let (backend, status) = (Backend::start(), free_port());
    let flags = ["--allow-uri", ID, "--status", &format!("http://127.0.0.1:{status}")];
    let (mut server, front) = proxy(&dev, "server", backend.port(), &flags);
    let (_client, port) = client_proxy(&dev, front, ID);
    assert!(get(port, "/").contains(Backend::GREETING));
    server.wait_for_log("closed pipe");
    let answer = get(status, "/_metrics/prometheus");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    text.to_owned()
}

/// What a helper tells after a hook has succeeded, another failed, and a command run.
fn told_by_helper() -> String {
    let dev = Dev::start();
    dev.identity(ID);
    let (port, config) = (free_port(), dev.folder().join("helper.conf"));
    let lines = format!(
        "cert_dir = \"{}\"\nsvid_file_name = \"svid.pem\"\nsvid_key_file_name = \"svid.key\"\n\
         svid_bundle_file_name = \"bundle.pem\"\njwt_bundle_file_name = \"jwks.json\"\ncmd = \"true\"\n\
         hook {{ cmd = \"true\" }}\nhook {{ cmd = \"false\" name = \"the \\\"bad\\\" one\" retries = 0 }}\n\
         health_checks {{ listener_enabled = true bind_port = {port} bind_address = \"127.0.0.1\" }}\n",
        dev.folder().join("certs").display()
    );
    std::fs::create_dir(dev.folder().join("certs")).unwrap();
    std::fs::write(&config, lines).unwrap();
    let mut command = Command::new(finial());
    command.args(["helper", "run", "-config"]).arg(config).env("SPIFFE_ENDPOINT_SOCKET", dev.endpoint());
    let mut helper = Process::spawn("helper", &mut command);
    helper.wait_for_log("the hook true has run");
    helper.wait_for_log("and waits for the next delivery");
    helper.wait_for_log("the command true has ended");
    get(port, "/metrics").split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn prometheus_client_reads_every_metric_of_a_helper() {
    let Some(python) = peer("prometheus-client", python("prometheus_client")) else { return };
    let text = told_by_helper();
    let read = run_with_input(Command::new(python).args(["-c", PARSE]), &text).expect_success();
    for sample in [
        "gauge finial_helper_expires_in_seconds [",
        "gauge finial_helper_last_write_timestamp_seconds [",
        "counter finial_helper_writes_total [",
        "gauge finial_helper_command_running [('command', 'true')] 0",
        "counter finial_helper_hook_runs_total [('hook', 'the \"bad\" one'), ('result', 'failed')] 1",
        "summary finial_helper_hook_duration_seconds_count [('hook', 'true')] ",
    ] {
        assert!(read.lines().any(|line| line.starts_with(sample)), "{sample}\n{read}");
    }
    let told = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(read.lines().count(), told, "{read}");
}

#[test]
fn promtool_finds_nothing_to_say_of_a_helper() {
    let Some(promtool) = program("promtool") else { return };
    let checked = run_with_input(Command::new(promtool).args(["check", "metrics"]), &told_by_helper());
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!((checked.stdout.as_str(), checked.stderr.as_str()), ("", ""));
}

/// What a server and its agent tell after a workload has got its identities.
fn told_by_server_and_agent() -> [String; 2] {
    let (pair, server_port, agent_port) = (Pair::new(), free_port(), free_port());
    // What is opened here is closed by the end of the block of plugins.
    let beside =
        |port| format!("}}\ntelemetry {{ EnableTrustDomainLabel = true Prometheus {{ port = {port} }}");
    let plugins = format!("NodeAttestor \"join_token\" {{}}\n{}", beside(server_port));
    let _server = pair.server_with("", &plugins);
    let (bundle, token, config) = (pair.bundle(), pair.token(), pair.path("agent.conf"));
    let lines = format!(
        "agent {{\n trust_domain = \"example.org\"\n server_address = \"127.0.0.1\"\n server_port = {}\n \
         trust_bundle_path = \"{}\"\n}}\nplugins {{\n KeyManager \"memory\" {{ plugin_data {{}} }}\n \
         NodeAttestor \"join_token\" {{ plugin_data {{}} }}\n WorkloadAttestor \"unix\" {{ plugin_data {{}} }}\n{} }}\n",
        pair.port(),
        bundle.display(),
        beside(agent_port)
    );
    std::fs::write(&config, lines).unwrap();
    let _agent = pair.agent(&["-config", &config, "-joinToken", &token]);
    pair.identity("web");
    pair.cli(&["api", "fetch", "jwt", "-audience", "db"]).expect_success();
    [server_port, agent_port].map(|port| get(port, "/metrics").split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn promtool_finds_nothing_to_say_of_a_server_and_its_agent() {
    let Some(promtool) = program("promtool") else { return };
    for told in told_by_server_and_agent() {
        let checked = run_with_input(Command::new(&promtool).args(["check", "metrics"]), &told);
        assert!(checked.status.success(), "{checked:?}");
        assert_eq!((checked.stdout.as_str(), checked.stderr.as_str()), ("", ""));
    }
}

#[test]
fn prometheus_client_reads_every_metric_of_a_server_and_its_agent() {
    let Some(python) = peer("prometheus-client", python("prometheus_client")) else { return };
    let [server, agent] = told_by_server_and_agent();
    for (text, samples) in [
        (&server, ["unknown spire_server_rpc_agent_v1_agent_attest_agent [", "gauge spire_server_started ["]),
        (
            &agent,
            [
                "unknown spire_agent_rpc_workload_api_fetch_jwtsvid [",
                "gauge spire_agent_lru_cache_svid_map_size [",
            ],
        ),
    ] {
        let read = run_with_input(Command::new(&python).args(["-c", PARSE]), text).expect_success();
        for sample in samples {
            assert!(read.lines().any(|line| line.starts_with(sample)), "{sample}\n{read}");
        }
        let told = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(read.lines().count(), told, "{read}");
    }
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn prometheus_client_reads_every_metric() {
    let Some(python) = peer("prometheus-client", python("prometheus_client")) else { return };
    let text = told();
    let read = run_with_input(Command::new(python).args(["-c", PARSE]), &text).expect_success();
    for sample in [
        "counter ghostunnel_accept_total [] ",
        "gauge ghostunnel_accept_success [] ",
        "gauge ghostunnel_conn_open [] ",
        "histogram ghostunnel_conn_handshake_timer_bucket [('le', '+Inf')] ",
        "histogram ghostunnel_conn_lifetime_seconds_bucket [('le', '86400')] ",
        "counter ghostunnel_peer_rejected_total [] 0",
        "gauge process_resident_memory_bytes [] ",
    ] {
        assert!(read.lines().any(|line| line.starts_with(sample)), "{sample}\n{read}");
    }
    let told = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(read.lines().count(), told, "{read}");
}

#[test]
fn promtool_finds_nothing_to_say() {
    let Some(promtool) = program("promtool") else { return };
    let checked = run_with_input(Command::new(promtool).args(["check", "metrics"]), &told());
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!((checked.stdout.as_str(), checked.stderr.as_str()), ("", ""));
}

//! The programs that are measured, each as a server before the same backend: mutual TLS, one thread, no resumption.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use finial_testkit::{Process, envoy, finial, free_port, installed};

use super::cores;
use super::pki::{CALLER, KeyExchange, Pki};
use crate::measure::{cpu_us, resident_kb};

/// A program that terminates mutual TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Finial,
    HaProxy,
    Envoy,
    Ghostunnel,
    Stunnel,
    Hitch,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Finial, Self::HaProxy, Self::Envoy, Self::Ghostunnel, Self::Stunnel, Self::Hitch];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Finial => "finial",
            Self::HaProxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Ghostunnel => "ghostunnel",
            Self::Stunnel => "stunnel",
            Self::Hitch => "hitch",
        }
    }

    /// Where it is installed, if it is.
    pub(super) fn program(self) -> Option<PathBuf> {
        match self {
            Self::Finial => Some(finial()),
            Self::Envoy => envoy(),
            // Debian keeps daemons where a user's PATH does not look.
            other => installed(other.name()).or_else(|| {
                Some(PathBuf::from("/usr/sbin").join(other.name())).filter(|path| path.is_file())
            }),
        }
    }

    /// Ours with the exchange that is its default, the others with what they know.
    pub(super) fn exchange(self) -> KeyExchange {
        match self {
            Self::Finial => KeyExchange::Hybrid,
            _ => KeyExchange::Classical,
        }
    }

    /// Starts it on these cores, before a backend, and waits until it listens.
    pub(super) fn start(self, program: PathBuf, pki: &Pki, on: &[usize], backend: u16) -> Subject {
        let port = free_port();
        let mut command = Command::new(program);
        command.current_dir(pki.path("")).env_remove("SPIFFE_ENDPOINT_SOCKET");
        self.configure(&mut command, pki, port, backend, on.len());
        let mut process = cores::on(on, || Process::spawn(self.name(), &mut command));
        process.wait_for_port(port);
        Subject { kind: self, port, process }
    }

    fn configure(self, command: &mut Command, pki: &Pki, port: u16, backend: u16, threads: usize) {
        // Envoy goes by the name, the others do not.
        let file = |text: String| pki.write(&format!("{}-{port}.yaml", self.name()), &text);
        match self {
            Self::Finial | Self::Ghostunnel => {
                if self == Self::Finial {
                    command.arg("proxy");
                }
                command.args(["server", "--cert", "server.pem", "--key", "server.key", "--cacert", "ca.pem"]);
                command.args(["--listen", &format!("127.0.0.1:{port}")]);
                command.args(["--target", &format!("127.0.0.1:{backend}"), "--allow-uri", CALLER]);
                command.args(["--quiet", "all"]);
            }
            Self::HaProxy => {
                command.args(["-db", "-f", &file(haproxy(port, backend, threads))]);
            }
            Self::Envoy => {
                let threads = threads.to_string();
                command.args(["--concurrency", &threads, "--base-id", &port.to_string(), "-l", "off"]);
                command.args([
                    "-c",
                    &file(ENVOY.replace("PORT", &port.to_string()).replace("TARGET", &backend.to_string())),
                ]);
            }
            Self::Stunnel => {
                command.arg(file(format!(
                    "foreground = yes\npid =\ndebug = 3\nsessionCacheSize = 1\noptions = NO_TICKET\n[bench]\n\
                     accept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{backend}\ncert = pair.pem\n\
                     CAfile = ca.pem\nverifyChain = yes\nsslVersionMin = TLSv1.3\n"
                )));
            }
            Self::Hitch => {
                let pair = pki.path("pair.pem").display().to_string();
                let ca = pki.path("ca.pem").display().to_string();
                let config = file(format!(
                    "frontend = \"[127.0.0.1]:{port}\"\nbackend = \"[127.0.0.1]:{backend}\"\n\
                     pem-file = \"{pair}\"\nclient-verify = required\nclient-verify-ca = \"{ca}\"\n\
                     workers = {threads}\ntls-protos = TLSv1.3\ndaemon = off\nquiet = on\n\
                     user = \"root\"\nbacklog = 1024\n"
                ));
                command.arg(format!("--config={config}"));
            }
        }
    }
}

/// A program that runs and listens.
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) port: u16,
    process: Process,
}

impl Subject {
    /// CPU time that it and its children have used, in microseconds.
    pub(super) fn cpu_us(&self) -> f64 {
        self.family().into_iter().map(cpu_us).sum()
    }

    /// CPU time of the thread that has used most, in microseconds.
    pub(super) fn busiest_thread_us(&self) -> f64 {
        let id = self.process.id();
        let threads = fs::read_dir(format!("/proc/{id}/task")).expect("the process runs");
        let used = threads.map(|thread| {
            let stat = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
            stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e3
        });
        used.fold(0.0, f64::max)
    }

    /// Memory that it and its children hold, in kB.
    pub(super) fn resident_kb(&self) -> f64 {
        self.family().into_iter().map(resident_kb).sum()
    }

    /// It and its children: some programs serve from a process beside the one that was started.
    fn family(&self) -> Vec<u32> {
        let id = self.process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        std::iter::once(id).chain(children.split_whitespace().map(|id| id.parse().unwrap())).collect()
    }
}

fn haproxy(port: u16, backend: u16, threads: usize) -> String {
    format!(
        "global\n  nbthread {threads}\n  maxconn 9000\n  tune.ssl.cachesize 0\n\
         \x20 ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets\n\
         defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 10m\n  timeout server 10m\n\
         frontend f\n  bind 127.0.0.1:{port} ssl crt pair.pem ca-file ca.pem verify required\n\
         \x20 default_backend b\n\
         backend b\n  server s 127.0.0.1:{backend}\n"
    )
}

const ENVOY: &str = r#"
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: PORT } }
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          disable_stateless_session_resumption: true
          disable_stateful_session_resumption: true
          common_tls_context:
            tls_params: { tls_minimum_protocol_version: TLSv1_3 }
            tls_certificates:
            - certificate_chain: { filename: server.pem }
              private_key: { filename: server.key }
            validation_context: { trusted_ca: { filename: ca.pem } }
      filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: bench
          cluster: backend
  clusters:
  - name: backend
    type: STATIC
    circuit_breakers:
      thresholds: [{ max_connections: 20000, max_pending_requests: 20000 }]
    load_assignment:
      cluster_name: backend
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: TARGET } } }
"#;

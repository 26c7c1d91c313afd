//! Programs of others with an SVID in files or from the Workload API: each as TLS client before our server proxy, and as
//! TLS server behind our client proxy. The right SPIFFE ID passes, another is refused.

mod envoy;
mod haproxy;
mod nginx;
mod proxy_protocol;
mod python;
mod stunnel;
mod tools;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Dev, Process, free_port, installed, until};

use crate::envoy::get;
use crate::peers::peer;
use crate::proxy::{Backend, client_proxy, server_proxy};

const ID: &str = "spiffe://example.org/ns/interop/sa/stranger";
const SOMEBODY_ELSE: &str = "spiffe://example.org/somebody-else";
/// A name in the SVID, for those that look for one.
const NAME: &str = "stranger.test";
const REFUSED: &str = "unauthorized: invalid principal, or principal not allowed";

/// A trust domain in which this user is [`ID`], and a service that knows nothing of it.
struct Ground {
    dev: Dev,
    backend: Backend,
    /// Where the SVID, its key and the bundle were written, and both in one as `pair.pem`.
    svid: PathBuf,
}

impl Ground {
    fn new() -> Self {
        let dev = Dev::start();
        let user = std::fs::metadata("/proc/self").expect("the owner of this process").uid();
        let (node, selector) = ("spiffe://example.org/dev/node", format!("unix:uid:{user}"));
        let entry =
            ["entry", "create", "-parentID", node, "-spiffeID", ID, "-selector", &selector, "-dns", NAME];
        dev.cli(&entry).expect_success();
        until("identity", || dev.cli(&["api", "fetch", "x509"]).stdout.contains(ID).then_some(()));
        let svid = dev.write_svid();
        let part = |name: &str| std::fs::read_to_string(svid.join(name)).expect("a part of it");
        std::fs::write(svid.join("pair.pem"), part("svid.0.pem") + &part("svid.0.key")).expect("both in one");
        Self { dev, backend: Backend::start(), svid }
    }

    /// A stranger as client: `answer` gives what it gets from our proxy on a port. It passes by its own ID alone.
    fn admits(&self, answer: impl Fn(u16) -> String) {
        for (allowed, passes) in [(ID, true), (SOMEBODY_ELSE, false)] {
            let (mut proxy, port) = server_proxy(&self.dev, &self.backend, allowed);
            let got = answer(port);
            assert_eq!(got.contains(Backend::GREETING), passes, "{allowed}: {got}\n{}", proxy.log());
            if !passes {
                proxy.wait_for_log(REFUSED);
            }
        }
    }

    /// A stranger as server on this port, which answers by the greeting of the service. It passes by its own ID alone.
    fn accepts(&self, port: u16) {
        self.accepts_path(port, "/");
    }

    /// The same for one that answers so at another path.
    fn accepts_path(&self, port: u16, path: &str) {
        for (expected, passes) in [(ID, true), (SOMEBODY_ELSE, false)] {
            let (mut proxy, front) = client_proxy(&self.dev, port, expected);
            let got = get(front, path).unwrap_or_default();
            assert_eq!(got.contains(Backend::GREETING), passes, "{expected}: {got}\n{}", proxy.log());
            if !passes {
                proxy.wait_for_log(REFUSED);
            }
        }
    }

    /// Starts a stranger with this configuration, on a port of its own: `{port}`, `{target}` and `{folder}` are put in.
    fn start(&self, program: &Path, args: &[&str], configuration: &str, target: u16) -> (Process, u16) {
        let port = free_port();
        let text = configuration
            .replace("{port}", &port.to_string())
            .replace("{target}", &target.to_string())
            .replace("{folder}", &self.svid.display().to_string());
        let name = program.file_name().expect("a name").to_string_lossy().into_owned();
        let file = self.svid.join(format!("{name}-{port}.conf"));
        std::fs::write(&file, text).expect("its configuration");
        let mut command = Command::new(program);
        let mut process = Process::spawn(&name, command.current_dir(&self.svid).args(args).arg(&file));
        process.wait_for_port(port);
        (process, port)
    }
}

/// A program of this machine that may lie in a folder for administrators.
fn program(name: &str) -> Option<PathBuf> {
    let sbin = Path::new("/usr/sbin").join(name);
    peer(name, installed(name).or_else(|| sbin.is_file().then_some(sbin)))
}

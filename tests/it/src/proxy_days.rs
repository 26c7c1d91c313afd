//! Bad days of the proxies as processes: what is in flight arrives, and what has gone wrong passes.

mod agent_gone;
mod backend;
mod backlog;
mod confined;
mod descriptors;
mod drain;
mod file;
mod flapping;
mod flood;
mod moving;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use finial_testkit::{LIMIT, Process, finial, free_port};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A certificate for localhost with its key, its authority, and room for sockets.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(folder.path().join("root.pem"), params.self_signed(&root).unwrap().pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(params, root)).unwrap();
        let pair = leaf.pem() + &key.serialize_pem();
        std::fs::write(folder.path().join("pair.pem"), pair).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A proxy before the backend `backend` of this site.
    fn server(&self, flags: &[&str]) -> Proxy {
        self.server_as(Command::new(finial()), flags)
    }

    fn server_as(&self, program: Command, flags: &[&str]) -> Proxy {
        let target = format!("unix:{}", self.path("backend").display());
        self.proxy(program, "server", &target, &[&["--allow-all"], flags].concat())
    }

    /// A proxy that callers reach `server` by.
    fn client(&self, server: &Proxy) -> Proxy {
        self.proxy(Command::new(finial()), "client", &format!("localhost:{}", server.port), &[])
    }

    fn proxy(&self, mut program: Command, side: &str, target: &str, flags: &[&str]) -> Proxy {
        let port = free_port();
        program.args(["proxy", side, "--listen", &format!("127.0.0.1:{port}"), "--target", target]);
        program.arg("--keystore").arg(self.path("pair.pem")).arg("--cacert").arg(self.path("root.pem"));
        let mut process = Process::spawn(&format!("proxy {side}"), program.args(flags));
        process.wait_for_log("listening for connections on");
        Proxy { process, port }
    }
}

struct Proxy {
    process: Process,
    port: u16,
}

impl Proxy {
    fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream
    }

    fn terminate(&self) {
        let process = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(process, Signal::TERM).unwrap();
    }
}

/// One byte there and back.
fn echo(mut stream: &TcpStream) -> io::Result<()> {
    stream.write_all(b"!")?;
    stream.read_exact(&mut [0])
}

/// A moment in which nobody waits for anything but one answer.
const MOMENT: Duration = Duration::from_millis(100);

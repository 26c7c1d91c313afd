//! A proxy that Landlock confines: all that it needs goes on, and what it was not told of is out of its reach.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Process, finial, free_port, run};
use rcgen::{CertificateParams, DnType, KeyPair};
use tempfile::TempDir;

/// Certificates as Kubernetes mounts them, and a backend on a Unix socket, in folders of their own.
struct Pod {
    folder: TempDir,
    _backend: UnixListener,
}

impl Pod {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["certs", "run", "elsewhere"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let backend = UnixListener::bind(folder.path().join("run/backend.sock")).unwrap();
        let pod = Self { folder, _backend: backend };
        pod.write_pair("certs/..1", "first");
        symlink("..1", pod.path("certs/..data")).unwrap();
        for file in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(file), pod.path("certs").join(file)).unwrap();
        }
        pod
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_pair(&self, folder: &str, name: &str) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        fs::create_dir_all(self.path(folder)).unwrap();
        fs::write(self.path(folder).join("tls.crt"), certificate.pem()).unwrap();
        fs::write(self.path(folder).join("tls.key"), key.serialize_pem()).unwrap();
    }

    /// As the kubelet does: a new link in the place of the old one.
    fn mount(&self, target: &str) {
        symlink(target, self.path("certs/..new")).unwrap();
        fs::rename(self.path("certs/..new"), self.path("certs/..data")).unwrap();
    }

    /// A proxy that listens on a Unix socket, with its status and metrics on these ports.
    fn proxy(&self, mut command: Command, status: u16, graphite: u16, flags: &[&str]) -> Process {
        let path = |name: &str| self.path(name).display().to_string();
        command.env_remove("SPIFFE_ENDPOINT_SOCKET").args(["server", "--disable-authentication"]);
        command.args(["--listen", &format!("unix:{}", path("run/later/listen.sock"))]);
        command.args(["--target", &format!("unix:{}", path("run/backend.sock"))]);
        command.args(["--cert", &path("certs/tls.crt"), "--key", &path("certs/tls.key")]);
        command.args(["--status", &format!("http://127.0.0.1:{status}")]);
        command.args(["--metrics-graphite", &format!("127.0.0.1:{graphite}")]).args(flags);
        let mut process = Process::spawn("confined proxy", &mut command);
        process.wait_for_log("listening for connections on");
        process
    }
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn reload(process: &Process) {
    run(Command::new("kill").args(["-HUP", &process.id().to_string()])).expect_success();
}

/// By both of its names.
fn commands(pod: &Pod) -> [Command; 2] {
    let ghostunnel = pod.path("ghostunnel");
    if !ghostunnel.exists() {
        symlink(finial(), &ghostunnel).unwrap();
    }
    let mut finial = Command::new(finial());
    finial.arg("proxy");
    [finial, Command::new(ghostunnel)]
}

#[test]
fn confined_proxy_reloads_tells_and_reaches_its_target_and_reads_nothing_else() {
    for name in 0..2 {
        let pod = Pod::new();
        let [finial, ghostunnel] = commands(&pod);
        let command = if name == 0 { finial } else { ghostunnel };
        let (status, graphite) = (free_port(), TcpListener::bind("127.0.0.1:0").unwrap());
        let mut proxy = pod.proxy(command, status, graphite.local_addr().unwrap().port(), &[]);
        assert!(proxy.log().contains("setting up landlock rules to limit process privileges"));
        if proxy.log().contains("warning: unable to set up landlock") {
            return finial_testkit::skip("landlock", false, "this kernel has none");
        }
        let told = get(status, "/_status");
        assert!(told.contains("\"backend_ok\":true") && told.contains("\"message\":\"listening\""), "{told}");
        assert!(get(status, "/_metrics/prometheus").contains("\nprocess_open_fds "));
        let mut line = String::new();
        BufReader::new(graphite.accept().unwrap().0).read_line(&mut line).unwrap();
        assert!(line.starts_with("ghostunnel.accept.error.count 0 "), "{line}");

        pod.write_pair("certs/..2", "second");
        pod.mount("..2");
        reload(&proxy);
        proxy.wait_for_log("second");
        pod.write_pair("elsewhere/certs", "third");
        pod.mount("../elsewhere/certs");
        reload(&proxy);
        proxy.wait_for_log("error reloading TLS configuration");
        assert!(!proxy.log().contains("third"), "{}", proxy.log());

        // What holds for the thread that was confined holds for those that it started.
        let threads = fs::read_dir(format!("/proc/{}/task", proxy.id())).unwrap();
        let states: Vec<_> = threads
            .map(|thread| fs::read_to_string(thread.unwrap().path().join("status")).unwrap())
            .collect();
        assert!(states.len() > 1);
        assert!(states.iter().all(|state| state.contains("\nNoNewPrivs:\t1\n")), "{states:?}");
    }
}

#[test]
fn proxy_that_is_not_to_be_confined_reads_what_it_is_led_to() {
    let pod = Pod::new();
    let [finial, _] = commands(&pod);
    let graphite = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = graphite.local_addr().unwrap().port();
    let mut proxy = pod.proxy(finial, free_port(), port, &["--disable-landlock"]);
    assert!(!proxy.log().contains("landlock"), "{}", proxy.log());
    pod.write_pair("elsewhere/certs", "third");
    pod.mount("../elsewhere/certs");
    reload(&proxy);
    proxy.wait_for_log("third");
}

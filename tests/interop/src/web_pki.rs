//! OpenSSL and curl with certificates of a company's PKI, which knows nothing of SPIFFE, before and behind our proxies.

mod trust;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use finial_testkit::{Finished, Process, finial, free_port, run, run_with_input};
use tempfile::TempDir;

use crate::peers::program;
use crate::proxy::Backend;

/// A root and the pairs that it signed, as OpenSSL makes them.
struct Pki {
    openssl: PathBuf,
    folder: PathBuf,
    _temporary: TempDir,
}

impl Pki {
    fn new() -> Option<Self> {
        let openssl = program("openssl")?;
        let temporary = TempDir::new().unwrap();
        let pki = Self { openssl, folder: temporary.path().to_owned(), _temporary: temporary };
        pki.root("ca");
        pki.pair("server", "ca", "/OU=web/CN=server", "genrsa -traditional -out server.key 2048");
        pki.pair(
            "client",
            "ca",
            "/OU=payments/CN=client",
            "ecparam -name prime256v1 -genkey -noout -out client.key",
        );
        Some(pki)
    }

    fn run(&self, args: &str) {
        run(Command::new(&self.openssl).current_dir(&self.folder).args(args.split(' '))).expect_success();
    }

    fn root(&self, name: &str) {
        self.run(&format!(
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ));
    }

    /// A key of this command's making, and a certificate for this machine.
    fn pair(&self, name: &str, root: &str, subject: &str, key: &str) {
        self.run(key);
        self.run(&format!("req -new -key {name}.key -subj {subject} -out {name}.csr"));
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1,URI:spiffe://example.org/web\n";
        fs::write(self.folder.join("names"), names).unwrap();
        self.run(&format!(
            "x509 -req -in {name}.csr -CA {root}.pem -CAkey {root}.key -CAcreateserial -days 30 -extfile names -out {name}.pem"
        ));
    }

    /// A proxy before or behind `target`, with these flags beside its addresses.
    fn proxy(&self, side: &str, target: u16, flags: &str) -> (Process, u16) {
        let port = free_port();
        let mut command = Command::new(finial());
        command.current_dir(&self.folder).env_remove("SPIFFE_ENDPOINT_SOCKET").args(["proxy", side]);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--target", &format!("localhost:{target}")]);
        let mut process = Process::spawn(&format!("{side} proxy"), command.args(flags.split(' ')));
        process.wait_for_port(port);
        (process, port)
    }

    fn server(&self, target: u16, flags: &str) -> (Process, u16) {
        self.proxy("server", target, &format!("--cert server.pem --key server.key --cacert ca.pem {flags}"))
    }

    /// What `s_client` gets for `GET /`, with this pair.
    fn s_client(&self, port: u16, flags: &str) -> Finished {
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(&self.openssl);
        command.current_dir(&self.folder).args(["s_client", "-quiet", "-connect", &address]);
        command.args(["-CAfile", "ca.pem", "-verify_return_error", "-verify_hostname", "localhost"]);
        run_with_input(command.args(flags.split_whitespace()), "GET / HTTP/1.0\r\n\r\n")
    }

    fn curl(&self, curl: &PathBuf, url: &str, flags: &str) -> Finished {
        let mut command = Command::new(curl);
        command.current_dir(&self.folder).args(["--silent", "--show-error", "--max-time", "10"]);
        run(command.args(flags.split_whitespace()).arg(url))
    }
}

const CLIENT: &str = "-cert client.pem -key client.key";
const REFUSED: &str = "unauthorized: invalid principal, or principal not allowed";

#[test]
fn openssl_is_let_in_by_each_of_its_names_and_by_no_other() {
    let Some(pki) = Pki::new() else { return };
    let backend = Backend::start();
    for (rule, permitted) in [
        ("--allow-all", true),
        ("--allow-cn client", true),
        ("--allow-ou payments", true),
        ("--allow-dns localhost", true),
        ("--allow-ip 127.0.0.1", true),
        ("--allow-uri spiffe://example.org/*", true),
        ("--allow-cn other --allow-ou payments", true),
        ("--allow-cn payments", false),
        ("--allow-ou client", false),
        ("--allow-dns example.org", false),
        ("--allow-ip 127.0.0.2", false),
        ("--allow-uri spiffe://example.org/other", false),
    ] {
        let (mut proxy, port) = pki.server(backend.port(), rule);
        let answer = pki.s_client(port, CLIENT);
        assert_eq!(answer.stdout.contains(Backend::GREETING), permitted, "{rule}: {answer:?}");
        if !permitted {
            proxy.wait_for_log(REFUSED);
        }
    }
}

#[test]
fn openssl_of_another_root_is_refused_even_by_allow_all() {
    let Some(pki) = Pki::new() else { return };
    pki.root("elsewhere");
    pki.pair("stranger", "elsewhere", "/CN=client", "genrsa -out stranger.key 2048");
    let backend = Backend::start();
    let (_proxy, port) = pki.server(backend.port(), "--allow-all");
    let answer = pki.s_client(port, "-cert stranger.pem -key stranger.key");
    assert!(!answer.stdout.contains(Backend::GREETING), "{answer:?}");
    assert!(pki.s_client(port, "").stderr.contains("alert certificate required"));
}

#[test]
fn openssl_that_signed_its_own_certificate_is_let_in_by_the_pin_of_its_key() {
    let Some(pki) = Pki::new() else { return };
    for name in ["self", "stranger"] {
        pki.root(name);
    }
    pki.run("pkey -in self.key -pubout -outform DER -out self.spki");
    pki.run("dgst -sha384 -binary -out self.digest self.spki");
    pki.run("base64 -A -in self.digest -out self.base64");
    let pin = fs::read_to_string(pki.folder.join("self.base64")).unwrap();
    let backend = Backend::start();
    let (mut proxy, port) = pki.server(backend.port(), &format!("--allow-spki-pin sha384:{}", pin.trim()));
    let answer = pki.s_client(port, "-cert self.pem -key self.key");
    assert!(answer.stdout.contains(Backend::GREETING), "{answer:?}");
    let answer = pki.s_client(port, "-cert stranger.pem -key stranger.key");
    assert!(!answer.stdout.contains(Backend::GREETING), "{answer:?}");
    proxy.wait_for_log("unauthorized: pin verification failed");
}

#[test]
fn curl_speaks_https_with_a_server_that_asks_for_no_certificate() {
    let Some(pki) = Pki::new() else { return };
    let Some(curl) = program("curl") else { return };
    let backend = Backend::start();
    let (_proxy, port) = pki.server(backend.port(), "--disable-authentication");
    let answer = pki.curl(&curl, &format!("https://localhost:{port}/"), "--cacert ca.pem");
    assert!(answer.expect_success().contains(Backend::GREETING));
}

#[test]
fn curl_in_the_clear_passes_a_client_and_a_server_with_keystores() {
    let Some(pki) = Pki::new() else { return };
    let Some(curl) = program("curl") else { return };
    for name in ["server", "client"] {
        let part = |end| fs::read_to_string(pki.folder.join(format!("{name}.{end}"))).unwrap();
        fs::write(pki.folder.join(format!("{name}.keystore.pem")), part("pem") + &part("key")).unwrap();
    }
    let backend = Backend::start();
    let flags = "--keystore server.keystore.pem --cacert ca.pem --allow-cn client";
    let (_server, front) = pki.proxy("server", backend.port(), flags);
    for (rule, permitted) in [
        ("--verify-cn server", true),
        ("--verify-ou web", true),
        ("--override-server-name 127.0.0.1", true),
        ("--override-server-name elsewhere.test", false),
        ("--verify-dns elsewhere.test", false),
    ] {
        let flags = format!("--keystore client.keystore.pem --cacert ca.pem {rule}");
        let (_client, port) = pki.proxy("client", front, &flags);
        let answer = pki.curl(&curl, &format!("http://127.0.0.1:{port}/"), "");
        assert_eq!(answer.stdout.contains(Backend::GREETING), permitted, "{rule}: {answer:?}");
    }
}

#[test]
fn a_socket_that_systemd_has_bound_is_served() {
    let Some(pki) = Pki::new() else { return };
    let Some(activate) = program("systemd-socket-activate") else { return };
    let backend = Backend::start();
    let port = free_port();
    let mut command = Command::new(activate);
    command.current_dir(&pki.folder).args(["--listen", &format!("127.0.0.1:{port}"), "--fdname", "web"]);
    command.arg(finial()).args(["proxy", "server", "--listen", "systemd:web"]);
    let flags = "--cert server.pem --key server.key --cacert ca.pem --allow-cn client";
    command.args(["--target", &format!("localhost:{}", backend.port())]).args(flags.split(' '));
    let mut process = Process::spawn("server proxy of systemd", &mut command);
    process.wait_for_port(port);
    let answer = pki.s_client(port, CLIENT);
    assert!(answer.stdout.contains(Backend::GREETING), "{answer:?}\n{}", process.log());
}

#[test]
fn sighup_presents_the_next_certificate_and_a_torn_one_is_passed_over() {
    let Some(pki) = Pki::new() else { return };
    let backend = Backend::start();
    let (mut proxy, port) = pki.server(backend.port(), "--allow-cn client");
    let reload =
        |proxy: &Process| run(Command::new("kill").args(["-HUP", &proxy.id().to_string()])).expect_success();
    fs::write(pki.folder.join("server.key"), "torn").unwrap();
    reload(&proxy);
    proxy.wait_for_log("error reloading TLS configuration");
    assert!(pki.s_client(port, CLIENT).stdout.contains(Backend::GREETING));
    pki.pair("server", "ca", "/CN=next", "genrsa -out server.key 2048");
    reload(&proxy);
    proxy.wait_for_log("reloading configuration complete");
    let answer = pki.s_client(port, CLIENT);
    assert!(answer.stdout.contains(Backend::GREETING), "{answer:?}");
    assert!(answer.stderr.replace(' ', "").contains("CN=next"), "{answer:?}");
}

#[test]
fn curl_reads_status_and_metrics_by_https_and_ends_the_proxy() {
    let Some(pki) = Pki::new() else { return };
    let Some(curl) = program("curl") else { return };
    let backend = Backend::start();
    let port = free_port();
    let flags = format!("--allow-cn client --enable-shutdown --status 127.0.0.1:{port}");
    let (mut proxy, front) = pki.server(backend.port(), &flags);
    assert!(pki.s_client(front, CLIENT).stdout.contains(Backend::GREETING));
    let ask = |path: &str, flags: &str| {
        pki.curl(&curl, &format!("https://localhost:{port}{path}"), &format!("--cacert ca.pem {flags}"))
    };
    assert!(ask("/_status", "--fail").expect_success().contains("\"ok\":true"));
    let metrics = ask("/_metrics/prometheus", "--fail").expect_success();
    assert!(metrics.lines().any(|line| line == "ghostunnel_accept_success 1"), "{metrics}");
    ask("/_shutdown", "--fail -X POST").expect_success();
    assert!(proxy.wait().success());
}

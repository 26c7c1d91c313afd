//! Keystores, revocation lists and certificates that end soon, as OpenSSL makes them.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use finial_daemon::Clock;
use finial_testkit::{Process, run};

use super::{CLIENT, Pki, REFUSED};
use crate::proxy::Backend;

/// For `openssl ca`, which keeps the books that its lists come from.
const BOOKS: &str = "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nnew_certs_dir=.\ncertificate=ca.pem\n\
    private_key=ca.key\nserial=serial\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_days=30\n\
    default_crl_days=30\npolicy=p\nx509_extensions=e\ncrl_extensions=l\n[p]\ncommonName=supplied\n\
    [e]\nsubjectAltName=DNS:localhost\n[l]\nauthorityKeyIdentifier=keyid\n";

impl Pki {
    fn keep_books(&self) {
        for (file, content) in
            [("ca.cnf", BOOKS), ("index.txt", ""), ("serial", "5000\n"), ("crlnumber", "01\n")]
        {
            fs::write(self.folder.join(file), content).unwrap();
        }
    }

    /// A pair that is valid until then.
    fn pair_until(&self, name: &str, end: SystemTime) {
        let seconds = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let end = run(Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y%m%d%H%M%SZ"]));
        let end = end.expect_success();
        self.run(&format!("ecparam -name prime256v1 -genkey -noout -out {name}.key"));
        self.run(&format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"));
        self.run(&format!(
            "ca -config ca.cnf -batch -notext -in {name}.csr -out {name}.pem -enddate {}",
            end.trim()
        ));
    }

    fn write_list(&self, format: &str) {
        self.run("ca -config ca.cnf -gencrl -out list.new");
        self.run(&format!("crl -in list.new -outform {format} -out list.whole"));
        fs::rename(self.folder.join("list.whole"), self.folder.join("revoked.crl")).unwrap();
    }

    /// A client that stays connected for as long as it is let.
    fn hold(&self, port: u16, pair: &str) -> Process {
        let mut command = Command::new(&self.openssl);
        command.current_dir(&self.folder).args(["s_client", "-connect", &format!("127.0.0.1:{port}")]);
        command.args(["-cert", &format!("{pair}.pem"), "-key", &format!("{pair}.key")]);
        Process::spawn_listening("s_client", &mut command)
    }
}

fn now() -> SystemTime {
    Clock::system().now()
}

#[test]
fn keystores_of_openssl_old_and_new_are_presented() {
    let Some(pki) = Pki::new() else { return };
    let backend = Backend::start();
    for (file, how) in [("new.p12", ""), ("old.pfx", " -legacy"), ("keystore", "")] {
        pki.run(&format!(
            "pkcs12 -export -in server.pem -inkey server.key -certfile ca.pem -out {file} -passout pass:sesam{how}"
        ));
        let flags = format!("--keystore {file} --storepass sesam --cacert ca.pem --allow-cn client");
        let (_proxy, port) = pki.proxy("server", backend.port(), &flags);
        let answer = pki.s_client(port, CLIENT);
        assert!(answer.stdout.contains(Backend::GREETING), "{file}: {answer:?}");
    }
}

#[test]
fn open_connection_is_cut_within_five_seconds_when_openssl_revokes_its_certificate() {
    let Some(pki) = Pki::new() else { return };
    pki.keep_books();
    pki.pair_until("once", now() + Duration::from_secs(86_400));
    let backend = Backend::start();
    for format in ["DER", "PEM"] {
        pki.write_list(format);
        let (mut proxy, port) = pki.server(backend.port(), "--allow-all --crl revoked.crl");
        if format == "PEM" {
            // It was revoked in the first turn.
            assert!(!pki.s_client(port, "-cert once.pem -key once.key").stdout.contains(Backend::GREETING));
            proxy.wait_for_log("was revoked by its issuer");
        } else {
            let mut held = pki.hold(port, "once");
            proxy.wait_for_log("opening pipe");
            pki.run("ca -config ca.cnf -revoke once.pem");
            pki.write_list(format);
            let revoked = now();
            held.wait();
            assert!(now() < revoked + Duration::from_secs(5), "{}", proxy.log());
            assert!(proxy.log().contains("was revoked by its issuer"), "{}", proxy.log());
        }
        assert!(pki.s_client(port, CLIENT).stdout.contains(Backend::GREETING));
    }
}

#[test]
fn open_connection_is_cut_within_five_seconds_of_the_end_of_its_certificate() {
    let Some(pki) = Pki::new() else { return };
    pki.keep_books();
    let backend = Backend::start();
    let (mut proxy, port) = pki.server(backend.port(), "--allow-all --close-on-expiry");
    let end = now() + Duration::from_secs(5);
    pki.pair_until("brief", end);
    let mut held = pki.hold(port, "brief");
    proxy.wait_for_log("opening pipe");
    held.wait();
    assert!((end..end + Duration::from_secs(5)).contains(&now()), "{}", proxy.log());
    assert!(proxy.log().contains("the certificate of CN=brief expired at"), "{}", proxy.log());
    assert!(!proxy.log().contains(REFUSED));
}

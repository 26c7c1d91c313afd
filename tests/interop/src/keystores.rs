//! Readers of PKCS#12 with what the helper writes: OpenSSL, and Java's keytool.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Dev, Process, finial, run};

use crate::peers::program;

const ID: &str = "spiffe://example.org/ns/interop/sa/java";
/// Java takes none with letters beyond ASCII.
const PASSWORD: &str = "sesam-oeffne-dich";

/// A helper that has written a keystore and a truststore, and its folder.
fn written(dev: &Dev) -> PathBuf {
    dev.identity(ID);
    let certs = dev.folder().join("certs");
    fs::create_dir(&certs).expect("a folder");
    let password = dev.folder().join("password");
    fs::write(&password, format!("{PASSWORD}\n")).expect("a password");
    let config = dev.folder().join("helper.conf");
    let text = format!(
        "agent_address = \"{}\"\ncert_dir = \"{}\"\nkeystore_file_name = \"svid.p12\"\n\
         truststore_file_name = \"trust.p12\"\nkeystore_password_file = \"{}\"\n\
         svid_file_name = \"chain\"\nsvid_key_file_name = \"key\"\nsvid_bundle_file_name = \"bundle\"\n",
        dev.agent_socket().display(),
        certs.display(),
        password.display(),
    );
    fs::write(&config, text).expect("a configuration");
    let mut command = Command::new(finial());
    let mut helper = Process::spawn("helper", command.args(["helper", "run", "-config"]).arg(&config));
    helper.wait_for_log("X.509-SVID written");
    certs
}

fn read(program: &Path, certs: &Path, args: &[&str]) -> String {
    run(Command::new(program).current_dir(certs).args(args)).expect_success()
}

#[test]
fn openssl_reads_certificate_and_key_of_the_keystore() {
    let Some(openssl) = program("openssl") else { return };
    let dev = Dev::start();
    let certs = written(&dev);
    let pass = format!("pass:{PASSWORD}");
    let read = |args: &[&str]| {
        let args = [&["pkcs12", "-in", "svid.p12", "-passin", &pass], args].concat();
        self::read(&openssl, &certs, &args)
    };
    let only = |text: &str, name: &str| {
        let (begin, end) = (format!("-----BEGIN {name}-----"), format!("-----END {name}-----\n"));
        let from = text.find(&begin).expect("its beginning");
        text[from..].split_inclusive(&end).next().expect("its end").to_owned()
    };
    let on_disk = |name: &str| fs::read_to_string(certs.join(name)).expect(name);
    assert_eq!(only(&read(&["-nodes", "-nocerts"]), "PRIVATE KEY"), on_disk("key"));
    assert_eq!(only(&read(&["-nokeys", "-clcerts"]), "CERTIFICATE"), only(&on_disk("chain"), "CERTIFICATE"));
    let trusted = self::read(&openssl, &certs, &["pkcs12", "-in", "trust.p12", "-passin", &pass, "-nokeys"]);
    assert_eq!(only(&trusted, "CERTIFICATE"), on_disk("bundle"));
}

#[test]
fn keytool_finds_the_key_and_trusts_the_authorities() {
    let Some(keytool) = program("keytool") else { return };
    let dev = Dev::start();
    let certs = written(&dev);
    let list = |file: &str| {
        // By file, as Java reads the arguments of a process by the locale.
        let args = ["-J-Dfile.encoding=UTF-8", "-list", "-v", "-storetype", "PKCS12", "-keystore", file];
        let args = [&args[..], &["-storepass:file", "../password"]].concat();
        read(&keytool, &certs, &args)
    };
    let keystore = list("svid.p12");
    assert!(keystore.contains("Alias name: svid") && keystore.contains("PrivateKeyEntry"), "{keystore}");
    assert!(keystore.contains(ID), "{keystore}");
    let truststore = list("trust.p12");
    assert!(truststore.contains("example.org-1") && truststore.contains("trustedCertEntry"), "{truststore}");
}

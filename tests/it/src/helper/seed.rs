//! A real agent behind the helper: each output, one CA rotation, and a single delivery.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::SystemTime;

use finial_identity::{BundleSet, JwtSvid, Role};
use finial_testkit::{Dev, finial, run, until};

use super::{Home, helper, pair, serial_number};

const ID: &str = "spiffe://example.org/db";
const TOKEN: &str = "jwt_svids = [{ jwt_audience = \"backup\", jwt_extra_audiences = [\"archive\"], jwt_svid_file_name = \"token\" }]\n\
                     jwt_bundle_file_name = \"jwt.json\"\n";

/// The certificate that stands in the folder is of its key, and leads to the authorities there.
fn check(home: &Home) {
    let read = |name: &str| fs::read(home.certs().join(name)).unwrap();
    let credential = pair(&read("chain"), &read("key"));
    let domain = credential.svid().id().trust_domain();
    let bundle = finial_identity::Bundle::parse_pem(domain, &read("bundle")).unwrap();
    let bundles = BundleSet::from_iter([bundle.into()]);
    #[expect(clippy::disallowed_methods, reason = "real certificates are checked by the real time")]
    credential.svid().verify(&bundles, SystemTime::now(), Role::Client).unwrap();
    assert_eq!(credential.svid().id().as_str(), ID);
}

#[test]
fn everything_comes_from_a_real_agent_and_follows_its_authorities() {
    let (dev, home) = (Dev::start(), Home::new());
    dev.identity(ID);
    let config = home.configure(&dev.agent_socket(), TOKEN);
    let mut helper = helper(&config);
    helper.wait_for_log("JWT-SVID written");
    helper.wait_for_log("JWT bundles written");
    helper.until("certificate", || serial_number(&home.certs()));
    check(&home);
    let token = fs::read_to_string(home.certs().join("token")).unwrap();
    let token = JwtSvid::parse_unverified(&token).unwrap();
    assert_eq!((token.id().as_str(), token.audience()), (ID, &["backup".into(), "archive".into()][..]));

    let before = (serial_number(&home.certs()), fs::read(home.certs().join("bundle")).unwrap());
    dev.rotate_ca_slowly(|_| check(&home));
    until("other certificate and other authorities", || {
        let bundle = fs::read(home.certs().join("bundle")).unwrap();
        (serial_number(&home.certs()) != before.0 && bundle != before.1).then_some(())
    });
    until("files of one update", || {
        // Between the new SVID and the bundle without the old authority there are updates that both hold for.
        check(&home);
        let bundle = fs::read_to_string(home.certs().join("bundle")).unwrap();
        (bundle.matches("BEGIN").count() == 1).then_some(())
    });
}

#[test]
fn called_spiffe_helper_it_delivers_once_with_the_modes_of_the_file() {
    let (dev, home) = (Dev::start(), Home::new());
    dev.identity(ID);
    let keys = "daemon_mode = false\nlayout = \"plain\"\ncert_file_mode = 0444\nkey_file_mode = \"0440\"\n\
                cmd = \"/bin/false\"\nrenewSignal = \"SIGHUP\"\n";
    let config = home.configure(&dev.agent_socket(), &format!("{keys}{TOKEN}"));
    symlink(finial(), home.path("spiffe-helper")).unwrap();
    // Whatever the umask.
    let line = format!("umask 0777; exec ./spiffe-helper -config {}", config.display());
    let ended = run(Command::new("sh").current_dir(home.path("")).args(["-c", &line]));
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("cmd is set but daemon_mode is false. cmd will be ignored."),
        "{}",
        ended.stderr
    );
    check(&home);
    for (name, mode) in [("chain", 0o444), ("key", 0o440), ("bundle", 0o444), ("token", 0o600)] {
        let found = fs::symlink_metadata(home.certs().join(name)).unwrap();
        assert!(found.is_file(), "{name}");
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{name}");
    }
    let refused = run(Command::new(home.path("spiffe-helper")).arg("-confg"));
    assert_eq!(refused.status.code(), Some(2));
    let missing = run(Command::new(home.path("spiffe-helper")).args(["-config", "/nonexistent.conf"]));
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn second_helper_on_a_folder_ends_with_a_clear_text() {
    let (dev, home) = (Dev::start(), Home::new());
    dev.identity(ID);
    let config = home.configure(&dev.agent_socket(), "");
    let mut first = helper(&config);
    first.wait_for_log("X.509-SVID written");
    let mut second = helper(&config);
    assert_eq!(second.wait().code(), Some(1));
    let told = format!("is the folder of another helper (process {})", first.id());
    assert!(second.log().contains(&told), "{}", second.log());
    // What was killed holds no lock.
    first.kill();
    helper(&config).wait_for_log("X.509-SVID written");
}

//! What is found without writing anything.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Examined, examine};
use crate::Overrides;

const THREE: &str =
    "svid_file_name = \"chain\"\nsvid_key_file_name = \"key\"\nsvid_bundle_file_name = \"bundle\"\n";

/// A folder for files, and a configuration beside it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        fs::create_dir(home.path().join("certs")).unwrap();
        fs::write(home.path().join("agent.sock"), "").unwrap();
        Self(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn examine(&self, keys: &str) -> Examined {
        let (agent, certs, file) = (self.path("agent.sock"), self.path("certs"), self.path("h.conf"));
        let own = format!("agent_address = \"{}\"\ncert_dir = \"{}\"\n", agent.display(), certs.display());
        fs::write(&file, format!("{own}{keys}")).unwrap();
        examine(&file, &Overrides::default())
    }

    fn problems(&self, keys: &str) -> Vec<String> {
        let home = format!("{}/", self.0.path().display());
        self.examine(keys).problems.iter().map(|problem| problem.replace(&home, "")).collect()
    }
}

#[test]
fn every_file_is_told_with_its_mode_and_what_it_holds() {
    let home = Home::new();
    let examined = home.examine(&format!(
        "{THREE}hint = \"db\"\njwt_svids {{ jwt_audience = \"a\", jwt_extra_audiences = [\"b\"], jwt_svid_file_name = \"token\" }}\n\
         jwt_bundle_file_name = \"jwt.json\"\nkey_file_mode = 0400"
    ));
    assert!(examined.is_good(), "{:?}", examined.problems);
    let told = examined.files.iter();
    let told =
        told.map(|file| format!("{} {} {}", file.path.file_name().unwrap().display(), file.mode, file.holds));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "chain 0644 chain of the identity with the hint `db`",
            "key 0400 key of the identity with the hint `db`",
            "bundle 0644 authorities of the identity with the hint `db`",
            "token 0600 token of the identity with the hint `db` for a, b",
            "jwt.json 0600 JWT bundles",
        ]
    );
    assert_eq!(fs::read_dir(home.path("certs")).unwrap().count(), 0, "nothing is written");
}

#[test]
fn what_is_wrong_with_the_file_is_told_by_line() {
    let home = Home::new();
    assert_eq!(
        home.problems("cert_dri = \"a\"\nkey_file_mode = 444"),
        [
            "h.conf:1:1: at least one of the sets ('svid_file_name', 'svid_key_file_name', 'svid_bundle_file_name'), 'jwt_svids', or 'jwt_bundle_file_name' must be fully specified",
            "h.conf:3:1: unknown top level key(s): cert_dri (did you mean \"cert_dir\"?)",
            "h.conf:4:1: key_file_mode is the decimal number 444: permissions are octal, write 0444 if you mean that",
        ][1..]
    );
    fs::remove_file(home.path("h.conf")).unwrap();
    let missing = examine(&home.path("h.conf"), &Overrides::default());
    assert!(missing.problems[0].starts_with("unable to read configuration file "), "{missing:?}");
}

#[test]
fn what_is_wrong_around_it_is_told_with_the_remedy() {
    let home = Home::new();
    assert_eq!(
        home.problems(&format!("{THREE}owner = \"no-such-user\"")),
        ["no user is called `no-such-user`: create it, or give its number"]
    );
    assert_eq!(
        home.problems(&format!("{THREE}group = \"no-such-group\"")),
        ["no group is called `no-such-group`: create it, or give its number"]
    );
    fs::create_dir(home.path("certs/chain")).unwrap();
    assert_eq!(home.problems(THREE), ["certs/chain is a folder: move it away"]);
    fs::remove_dir_all(home.path("certs")).unwrap();
    assert_eq!(home.problems(THREE), ["there is no folder certs: create it"]);
    fs::write(home.path("certs"), "").unwrap();
    assert_eq!(home.problems(THREE)[0], "certs is no folder: make it one");
}

#[test]
fn password_of_a_keystore_is_looked_for() {
    let home = Home::new();
    let keys = format!(
        "{THREE}keystore_file_name = \"k\"\nkeystore_password_file = \"{}\"",
        home.path("p").display()
    );
    let missing = "cannot read the password of a keystore in p: No such file or directory (os error 2)";
    assert_eq!(home.problems(&keys), [missing]);
    fs::write(home.path("p"), "\nsesam").unwrap();
    let empty =
        "cannot read the password of a keystore in p: its first line is empty: write the password there";
    assert_eq!(home.problems(&keys), [empty]);
    fs::write(home.path("p"), "sesam\n").unwrap();
    assert_eq!(home.problems(&keys), Vec::<String>::new());
}

#[test]
fn agent_that_is_not_there_is_a_warning() {
    let home = Home::new();
    fs::remove_file(home.path("agent.sock")).unwrap();
    let examined = home.examine(THREE);
    assert!(examined.is_good());
    assert_eq!(examined.warnings.len(), 1, "{:?}", examined.warnings);
}

//! Flags over the file, and flags alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use finial_agent::{Config, RebootstrapMode, TrustBundle};

use super::Settings;

const ALONE: [&str; 6] = ["--trustDomain", "example.org", "--dataDir", "/nowhere", "--logLevel", "info"];

fn read(flags: &[&str]) -> Result<Config, String> {
    let command = Settings::augment_args(Command::new("run").no_binary_name(true));
    let matches = command.try_get_matches_from(flags).map_err(|error| error.to_string())?;
    Settings::from_arg_matches(&matches).unwrap().read().map_err(|error| format!("{error:#}"))
}

fn alone(flags: &[&str]) -> Result<Config, String> {
    read(&[&ALONE, flags].concat())
}

/// A configuration file with these lines for its agent, and flags over it.
fn over(lines: &str, flags: &[&str]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.conf");
    let text = format!(
        "agent {{\n trust_domain = \"example.org\"\n {lines}\n}}\nplugins {{\n KeyManager \"memory\" {{ }}\n \
         NodeAttestor \"join_token\" {{ }}\n WorkloadAttestor \"unix\" {{ }}\n}}\n"
    );
    std::fs::write(&path, text).unwrap();
    read(&[&["--config", path.to_str().unwrap()], flags].concat())
}

const SERVER: &str = "server_address = \"a,b:2\"\n server_port = 1";

#[test]
fn flags_alone_name_servers() {
    let servers = |flags: &[&str]| alone(flags).map(|config| config.servers.to_string());
    assert_eq!(servers(&["--serverAddress", "a", "--serverPort", "1"]).unwrap(), "a:1");
    assert_eq!(servers(&["--serverAddress", "a:1,b:2"]).unwrap(), "a:1, b:2");
    assert_eq!(servers(&["--serverSrv", "_spire._tcp.example.org"]).unwrap(), "_spire._tcp.example.org");
    assert!(servers(&["--serverAddress", "a"]).unwrap_err().contains("server_port is missing"));
    assert!(servers(&[]).unwrap_err().contains("give -config FILE"));
    assert!(servers(&["--serverSrv", "s", "--serverPort", "1"]).is_err());
}

#[test]
fn flags_take_the_place_of_the_files_servers() {
    let servers = |flags: &[&str]| over(SERVER, flags).unwrap().servers.to_string();
    assert_eq!(servers(&[]), "a:1, b:2");
    assert_eq!(servers(&["--serverPort", "9"]), "a:9, b:9");
    assert_eq!(servers(&["--serverAddress", "c"]), "c:1");
    assert_eq!(servers(&["--serverSrv", "s"]), "s");
    let error = over("server_srv = \"s\"", &["--serverPort", "9"]).unwrap_err();
    assert!(error.contains("-serverPort does not go with the SRV records of s"), "{error}");
}

#[test]
fn a_flag_takes_the_place_of_the_files_source() {
    let source =
        |lines: &str, flags: &[&str]| over(&format!("{SERVER}\n {lines}"), flags).unwrap().trust_bundle;
    let file = "trust_bundle_path = \"/file\"";
    assert!(
        matches!(source(file, &["--trustBundle", "/flag"]), TrustBundle::File(path) if path == Path::new("/flag"))
    );
    assert!(matches!(source(file, &["--insecureBootstrap"]), TrustBundle::Insecure));
    assert!(matches!(source(file, &["--insecureBootstrap=false"]), TrustBundle::File(_)));
    assert!(matches!(
        source("insecure_bootstrap = true", &["--insecureBootstrap=false"]),
        TrustBundle::NotGiven
    ));
    assert!(matches!(source(file, &["--trustBundleUrl", "https://example.org/b"]), TrustBundle::Url(_)));
}

#[test]
fn a_url_is_asked_over_the_files_socket() {
    let lines = format!("{SERVER}\n trust_bundle_url = \"http://a/\"\n trust_bundle_unix_socket = \"/s\"");
    let config = over(&lines, &["--trustBundleUrl", "http://b/"]).unwrap();
    let TrustBundle::Url(url) = config.trust_bundle else { panic!("a url") };
    assert_eq!(
        (url.uri().to_string().as_str(), url.socket().unwrap().as_path()),
        ("http://b/", Path::new("/s"))
    );
}

#[test]
fn bad_flags_are_refused() {
    let bad: [(&[&str], &str); 5] = [
        (&["--trustBundle", "/a", "--insecureBootstrap"], "cannot be used with"),
        (&["--trustBundleUrl", "http://example.org/b"], "must start with https://"),
        (&["--trustBundleFormat", "der"], "use pem or spiffe"),
        (&["--rebootstrapMode", "maybe"], "use never, auto or always"),
        (&["--joinToken", "a", "--joinTokenFile", "b"], "cannot be used with"),
    ];
    for (flags, problem) in bad {
        let error = over(SERVER, flags).map(|_| ()).unwrap_err();
        assert!(error.contains(problem), "{error}\nlacks {problem}");
    }
}

#[test]
fn a_token_by_flag_takes_the_place_of_the_files() {
    let lines = format!("{SERVER}\n join_token_file = \"/file\"");
    let config = over(&lines, &["--joinToken", "t"]).unwrap();
    assert_eq!((config.join_token.as_deref(), config.join_token_file), (Some("t"), None));
}

#[test]
fn rebootstrapping_and_apis_are_set_by_flags() {
    let flags = [
        "--rebootstrapMode=auto",
        "--rebootstrapDelay=90s",
        "--disableWorkloadAPI",
        "--disableSDSAPI",
        "--allowUnauthenticatedVerifiers",
    ];
    let config = over(SERVER, &flags).unwrap();
    assert_eq!(config.rebootstrap_mode, RebootstrapMode::Auto);
    assert_eq!(config.rebootstrap_delay, Duration::from_secs(90));
    assert!(config.delivery.disable_workload_api && config.sds.is_none());
    assert!(config.delivery.allow_unauthenticated_verifiers);
    let back = over(&format!("{SERVER}\n disable_sds_api = true"), &["--disableSDSAPI=false"]).unwrap();
    assert!(back.sds.is_some());
}

//! Good and bad files, with the texts of what is wrong.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use finial_identity::{Audience, SpiffeId};
use finial_receive::Endpoint;

use super::{Config, FileName, Layout, Mode, Overrides, Ownership, Place, Principal, Whose, X509Output};

const SEED: &str = include_str!("tests/seed.conf");
const WHOLE: &str = include_str!("tests/whole.conf");
const FILES: &str = "svid_file_name = \"a\"\nsvid_key_file_name = \"b\"\nsvid_bundle_file_name = \"c\"\n";

fn read(text: &str) -> Config {
    Config::from_hcl(text, "h.conf", &Overrides::default())
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn fault(text: &str) -> String {
    match Config::from_hcl(text, "h.conf", &Overrides::default()) {
        Ok(config) => panic!("{text:?} is accepted: {config:?}"),
        Err(error) => error.to_string(),
    }
}

fn with_files(lines: &str) -> String {
    format!("{FILES}{lines}")
}

fn place(name: &str, mode: u32) -> Place {
    Place { name: FileName::parse(name).unwrap(), mode: Mode::of_bits(mode) }
}

#[test]
fn the_file_of_the_postgresql_article_runs_as_it_was_printed() {
    let config = read(SEED);
    assert_eq!(config.agent, Endpoint::Unix("/run/spire/agent.sock".into()));
    assert_eq!(config.cert_dir, Path::new("/opt/postgresql-certs"));
    assert!(config.daemon_mode);
    assert_eq!(config.layout, Layout::Generations);
    assert_eq!(config.warnings, ["renewSignal will be deprecated, should be used as renew_signal"]);
    let written = config.outputs.places().cloned().collect::<Vec<_>>();
    assert_eq!(
        written,
        [place("svid.pem", 0o644), place("svid.key", 0o600), place("svid_bundle.pem", 0o644)]
    );
}

#[test]
fn every_key_is_read() {
    let config = read(WHOLE);
    assert_eq!(config.agent, Endpoint::Unix("/run/agent.sock".into()));
    assert_eq!(config.layout, Layout::Plain);
    let ownership =
        Ownership { owner: Some(Principal::Name("postgres".into())), group: Some(Principal::Number(107)) };
    assert_eq!(config.ownership, ownership);
    assert_eq!(config.warnings, Vec::<String>::new());

    let [top, other] = config.outputs.x509.as_slice() else { panic!("two identities") };
    let expected = X509Output {
        whose: Whose::Hint("internal".into()),
        pair: Some((place("svid.pem", 0o444), place("svid_key.pem", 0o440))),
        bundle: Some(place("svid_bundle.pem", 0o444)),
        combined: Some(place("haproxy.pem", 0o440)),
        keystore: Some(place("svid.p12", 0o440)),
        truststore: Some(place("trust.p12", 0o444)),
        password_file: Some("/etc/password".into()),
        credential_folder: None,
        add_intermediates_to_bundle: true,
        include_federated_domains: true,
        omit_expired: true,
    };
    assert_eq!(*top, expected);
    let id = SpiffeId::parse("spiffe://example.org/other").unwrap();
    let expected = X509Output {
        whose: Whose::Id(id.clone()),
        pair: None,
        bundle: Some(place("other_bundle.pem", 0o444)),
        combined: Some(place("other.pem", 0o640)),
        keystore: None,
        truststore: None,
        omit_expired: false,
        ..expected
    };
    assert_eq!(*other, expected);

    let [first, vault] = config.outputs.jwt_svids.as_slice() else { panic!("two tokens") };
    assert_eq!(first.whose, Whose::Hint("internal".into()));
    assert_eq!(first.audience, Audience::new(["your-audience", "one", "two"]).unwrap());
    assert_eq!(first.token, place("jwt_svid.token", 0o440));
    assert_eq!(vault.whose, Whose::Id(id));
    assert_eq!(config.outputs.jwt_bundle, Some(place("bundle.json", 0o400)));
}

#[test]
fn agent_is_found_by_the_file_then_the_environment_then_the_default() {
    let agent = |line: &str, endpoint: Option<&str>| {
        let overrides = Overrides { endpoint: endpoint.map(str::to_owned), ..Overrides::default() };
        Config::from_hcl(&with_files(line), "h.conf", &overrides).unwrap().agent.to_string()
    };
    let default = "unix:///tmp/spire-agent/public/api.sock";
    for (line, endpoint, expected) in [
        ("", None, default),
        ("", Some(""), default),
        ("agent_address = \"\"", None, default),
        ("", Some("/e.sock"), "unix:///e.sock"),
        ("", Some("unix:///e.sock"), "unix:///e.sock"),
        ("agent_address = \"\"", Some("unix:/e.sock"), "unix:///e.sock"),
        ("agent_address = \"/f.sock\"", Some("unix:///e.sock"), "unix:///f.sock"),
        ("agent_address = \"unix:///f.sock\"", None, "unix:///f.sock"),
        ("agentAddress = \"/f.sock\"", None, "unix:///f.sock"),
        ("agent_address = \"tcp://127.0.0.1:8000\"", None, "tcp://127.0.0.1:8000"),
    ] {
        assert_eq!(agent(line, endpoint), expected, "{line} {endpoint:?}");
    }
}

#[test]
fn older_spellings_count_with_a_warning_and_not_beside_the_newer() {
    let older = "agentAddress = \"/a\"\ncmdArgs = \"x\"\ncertDir = \"d\"\nrenewSignal = \"SIGHUP\"\n\
                 svidFileName = \"a\"\nsvidKeyFileName = \"b\"\nsvidBundleFileName = \"c\"\n\
                 addIntermediatesToBundle = true\ntimeout = \"10s\"";
    let config = read(older);
    assert_eq!(config.cert_dir, Path::new("d"));
    assert!(config.outputs.x509[0].add_intermediates_to_bundle);
    assert_eq!(config.warnings.len(), 9);
    assert_eq!(config.warnings[2], "certDir will be deprecated, should be used as cert_dir");
    assert_eq!(config.warnings[8], "timeout has no effect any more: remove it");
    assert_eq!(
        fault(&with_files("cert_dir = \"a\"\ncertDir = \"b\"")),
        "h.conf:5:1: use of certDir and cert_dir found, use only cert_dir"
    );
}

#[test]
fn a_single_delivery_ignores_whom_to_tell_with_warnings() {
    let text = with_files("cmd = \"x\"\nrenew_signal = \"SIGHUP\"\ndaemon_mode = false");
    let config = read(&text);
    assert!(!config.daemon_mode);
    assert_eq!(
        config.warnings,
        [
            "cmd is set but daemon_mode is false. cmd will be ignored. This may become an error in a future release.",
            "renew_signal is set but daemon_mode is false. renew_signal will be ignored. This may become an error in a future release.",
        ]
    );
    let overrides = Overrides { daemon_mode: Some(true), ..Overrides::default() };
    let overruled = Config::from_hcl(&text, "h.conf", &overrides).unwrap();
    assert!(overruled.daemon_mode && overruled.warnings.is_empty(), "{overruled:?}");
}

#[test]
fn draft_layout_needs_no_names() {
    let config = read("layout = \"spiffe-draft\"\nkey_file_mode = 0400");
    assert_eq!(config.layout, Layout::SpiffeDraft);
    assert_eq!(config.outputs.x509.len(), 1);
    assert_eq!(config.outputs.x509[0].credential_folder, Some((Mode::of_bits(0o400), Mode::PUBLIC)));
}

#[test]
fn a_mode_of_zero_is_as_none() {
    let config = read(&with_files("key_file_mode = 0\ncert_file_mode = \"0\""));
    assert_eq!(
        config.outputs.places().map(|place| place.mode.bits()).collect::<Vec<_>>(),
        [0o644, 0o600, 0o644]
    );
}

#[test]
fn what_is_wrong_is_told_by_line() {
    let all_or_none = "h.conf:1:1: all or none of 'svid_file_name', 'svid_key_file_name', 'svid_bundle_file_name' must be specified";
    let nothing = "h.conf:1:1: at least one of the sets ('svid_file_name', 'svid_key_file_name', \
                   'svid_bundle_file_name'), 'jwt_svids', or 'jwt_bundle_file_name' must be fully specified";
    for (text, expected) in [
        ("", nothing),
        ("cert_dir = \"a\"", nothing),
        ("svid_file_name = \"a\"", all_or_none),
        ("svid_file_name = \"a\"\nsvid_key_file_name = \"b\"", all_or_none),
        ("svid_bundle_file_name = \"a\"\njwt_bundle_file_name = \"b\"", all_or_none),
        (
            "svid_file_name = \"a\"\ncombined_file_name = \"b\"",
            "h.conf:1:1: svid_file_name and svid_key_file_name belong together: give both or none",
        ),
        (
            "keystore_file_name = \"a\"",
            "h.conf:1:1: keystore_password_file is missing: name the file whose first line is the password",
        ),
        (
            "x509_svids { hint = \"a\" }",
            "h.conf:1:1: names no file: give svid_file_name, svid_key_file_name and svid_bundle_file_name",
        ),
        ("jwt_svids = [{ jwt_audience = \"a\" }]", "h.conf:1:14: 'jwt_file_name' is required in 'jwt_svids'"),
        (
            "jwt_svids = [{ jwt_svid_file_name = \"a\" }]",
            "h.conf:1:14: 'jwt_audience' is required in 'jwt_svids'",
        ),
        (
            "jwt_svids = [{ jwt_audience = \"a\", jwt_extra_audiences = [\"\"], jwt_svid_file_name = \"a\" }]",
            "h.conf:1:36: jwt_extra_audiences has an empty one",
        ),
        (
            "jwt_svids = [{ jwt_audience = \"a\", jwt_svid_file_name = \"a\" },\n { jwt_audiense = \"a\" }]",
            "h.conf:2:2: 'jwt_file_name' is required in 'jwt_svids'\n\
             h.conf:2:4: unknown key(s) in jwt_svids[1]: jwt_audiense (did you mean \"jwt_audience\"?)",
        ),
        ("jwt_svids = \"a\"", "h.conf:1:1: jwt_svids must be a block { }, not `a`"),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_beside_good_files_is_told_by_line() {
    for (lines, expected) in [
        ("cert_dri = \"a\"", "unknown top level key(s): cert_dri (did you mean \"cert_dir\"?)"),
        ("color = \"a\"", "unknown top level key(s): color: remove it, or check the spelling"),
        ("cert_dir = [\"a\"]", "12|cert_dir must be a text in quotes, not a list"),
        ("daemon_mode = \"maybe\"", "15|daemon_mode must be true or false, not `maybe`"),
        ("pid_file_name = \"p\"", "must specify renew_signal when using pid_file_name"),
        (
            "pid_file_name = \"p\"\nrenew_signal = \"SIGHUP\"\ndaemon_mode = false",
            "pid_file_name is set but daemon_mode is false. pid_file_name is only supported in daemon_mode",
        ),
        ("cert_file_mode = -1", "cert file mode must be positive"),
        ("key_file_mode = -0600", "key file mode must be positive"),
        ("jwt_bundle_file_mode = -1", "jwt bundle file mode must be positive"),
        ("jwt_svid_file_mode = \"-1\"", "jwt svid file mode must be positive"),
        (
            "key_file_mode = 444",
            "key_file_mode is the decimal number 444: permissions are octal, write 0444 if you mean that",
        ),
        ("key_file_mode = 01000", "key_file_mode is 01000: permissions go from 0001 to 0777"),
        ("key_file_mode = \"rw\"", "17|key_file_mode must be permissions in octal, such as 0444, not `rw`"),
        ("key_file_mode = 0888", "17|`0888` is no octal number: leave out the leading zero"),
        (
            "hint = \"a\"\nspiffe_id = \"spiffe://example.org/a\"",
            "hint and spiffe_id exclude each other: give one of them",
        ),
        (
            "spiffe_id = \"example.org/a\"",
            "spiffe_id: spiffe id does not begin with `spiffe://`: `example.o`",
        ),
        ("layout = \"atomic\"", "layout: must be generations, plain or spiffe-draft, not `atomic`"),
        (
            "agent_address = \"agent.sock\"",
            "`agent.sock` is no Workload API endpoint: it must begin with unix: or tcp:, as in unix:///run/finial/agent.sock",
        ),
        (
            "jwt_bundle_file_name = \"../a\"",
            "jwt_bundle_file_name: `../a` is no file name: all files are in cert_dir, give the name alone",
        ),
        (
            "jwt_bundle_file_name = \"..data\"",
            "jwt_bundle_file_name: `..data` begins with two dots, as what the helper keeps beside the files does: choose another name",
        ),
    ] {
        let (column, expected) = expected.split_once('|').unwrap_or(("1", expected));
        assert_eq!(fault(&with_files(lines)), format!("h.conf:4:{column}: {expected}"), "{lines}");
    }
    assert_eq!(
        fault(&with_files("jwt_bundle_file_name = \"a\"")),
        "h.conf:1:1: `a` is the name of two files: give one of them another"
    );
}

#[test]
fn every_fault_is_told_at_once() {
    let text = "cert_dri = \"a\"\nsvid_file_name = \"a\"\nkey_file_mode = 444\nlayout = \"x\"";
    assert_eq!(fault(text).lines().count(), 4, "{}", fault(text));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["/a", "a/", "a/b", ".", "..", "../a", "a\0", "..a"] {
        assert!(FileName::parse(name).is_err(), "{name:?}");
    }
    assert!(FileName::parse(&"a".repeat(246)).is_err());
    for name in ["a", ".a", "a b", "ü", "a..b", &"a".repeat(245)] {
        assert_eq!(FileName::parse(name).unwrap().as_str(), name);
    }
}

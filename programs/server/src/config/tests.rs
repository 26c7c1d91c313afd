//! The configuration file: what is read, and what is refused where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_attest::X509PopMode;
use finial_identity::KeyKind;

use super::{Config, KeysConfig, StoreConfig};

const PLUGINS: &str = r#"
plugins {
    DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "/data/db.sqlite3" } }
    KeyManager "disk" { plugin_data { keys_path = "/data/keys.json" } }
    NodeAttestor "join_token" { plugin_data {} }
}
"#;

fn read(server: &str) -> Result<Config, String> {
    Config::from_hcl(&format!("server {{\n{server}\n}}{PLUGINS}"), "server.conf")
        .map_err(|error| error.to_string())
}

fn with_plugins(plugins: &str) -> Result<Config, String> {
    let text = format!("server {{ trust_domain = \"example.org\" data_dir = \"/data\" }}\n{plugins}");
    Config::from_hcl(&text, "server.conf").map_err(|error| error.to_string())
}

#[test]
fn least_configuration_has_the_defaults_of_spire() {
    let config = read("trust_domain = \"example.org\"\ndata_dir = \"/data\"").unwrap();
    assert_eq!((config.bind_address.to_string().as_str(), config.bind_port), ("0.0.0.0", 8081));
    assert_eq!(config.socket_path.to_str(), Some("/tmp/spire-server/private/api.sock"));
    assert_eq!(config.store, StoreConfig::Sqlite("/data/db.sqlite3".into()));
    assert_eq!(config.keys, KeysConfig::Disk("/data/keys.json".into()));
    assert_eq!(config.issue.ca_ttl, Duration::from_hours(24));
    assert_eq!(config.issue.ca_subject.organization, ["SPIFFE"]);
    assert!(config.admin_ids.is_empty());
}

#[test]
fn every_key_is_read() {
    let config = read(
        r#"
        bind_address = "127.0.0.1"
        bind_port = "9081"
        trust_domain = "example.org"
        data_dir = "/data"
        socket_path = "/run/server.sock"
        log_level = "DEBUG"
        log_format = "json"
        log_file = "/data/log"
        ca_ttl = "48h"
        ca_key_type = "rsa-4096"
        ca_subject = { country = ["DE"], organization = ["Example"], common_name = "CA" }
        default_x509_svid_ttl = "30m"
        default_jwt_svid_ttl = "1m"
        agent_ttl = "2h"
        jwt_issuer = "https://issuer.example.org"
        jwt_key_type = "ec-p256"
        admin_ids = ["spiffe://partner.test/ops"]
        ratelimit { attestation = false }
        "#,
    )
    .unwrap();
    assert_eq!((config.bind_address.to_string().as_str(), config.bind_port), ("127.0.0.1", 9081));
    assert_eq!(config.socket_path.to_str(), Some("/run/server.sock"));
    assert_eq!(config.log.level, finial_daemon::log::Level::Debug);
    assert_eq!(config.log.format, finial_daemon::log::Format::Json);
    assert_eq!(config.log.output, finial_daemon::log::Output::File("/data/log".into()));
    assert_eq!(config.issue.ca_ttl, Duration::from_hours(48));
    assert_eq!(
        (config.issue.ca_key_type, config.issue.jwt_key_type),
        (KeyKind::Rsa { bits: 4096 }, Some(KeyKind::EcP256))
    );
    assert_eq!(config.issue.ca_subject.country, ["DE"]);
    assert_eq!(config.issue.ca_subject.common_name, "CA");
    assert_eq!(config.issue.default_x509_svid_ttl, Duration::from_mins(30));
    assert_eq!(config.issue.default_jwt_svid_ttl, Duration::from_mins(1));
    assert_eq!(config.issue.agent_ttl, Some(Duration::from_hours(2)));
    assert_eq!(config.issue.jwt_issuer.as_deref(), Some("https://issuer.example.org"));
    assert_eq!((config.rate_limits.attestation, config.rate_limits.signing), (false, true));
    assert_eq!(config.admin_ids[0].as_str(), "spiffe://partner.test/ops");
}

#[test]
fn memory_is_a_place_for_keys_and_for_the_store() {
    let config = with_plugins(
        r#"plugins {
            DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = ":memory:" } }
            KeyManager "memory" { plugin_data {} }
        }"#,
    )
    .unwrap();
    assert_eq!((config.store, config.keys), (StoreConfig::Memory, KeysConfig::Memory));
}

#[test]
fn bad_server_block_is_refused_with_line_and_remedy() {
    let head = "trust_domain = \"example.org\"\ndata_dir = \"/data\"\n";
    let table = [
        ("data_dir = \"/data\"", "server.conf:1:", "no trust_domain"),
        ("trust_domain = \"example.org\"", "server.conf:1:", "no data_dir"),
        ("trust_domain = \"Example_\u{e9}\"\ndata_dir = \"/data\"", "server.conf:2:", "trust_domain"),
        (&format!("{head}bind_prot = 1"), "server.conf:4:", "did you mean \"bind_port\"?"),
        (&format!("{head}bind_port = 70000"), "server.conf:4:", "from 0 to 65535"),
        (&format!("{head}bind_address = \"localhost\""), "server.conf:4:", "bind_address"),
        (&format!("{head}ca_ttl = \"a day\""), "server.conf:4:", "a duration"),
        (&format!("{head}agent_ttl = \"0s\""), "server.conf:4:", "longer than 0s"),
        (
            &format!("{head}ca_key_type = \"rsa-1024\""),
            "server.conf:4:",
            "use \"rsa-2048\", \"rsa-4096\", \"ec-p256\"",
        ),
        (&format!("{head}ca_subject {{ locality = \"x\" }}"), "server.conf:4:", "unknown key \"locality\""),
        (&format!("{head}admin_ids = [\"ops\"]"), "server.conf:4:", "admin_ids"),
        (
            &format!("{head}federation {{ federates_with \"a.test\" {{ }} }}"),
            "server.conf:4:",
            "federates_with is not supported yet: remove it",
        ),
        (
            &format!("{head}proxy_protocol_trusted_cidrs = [\"10.0.0.0/8\", \"10.0.0.1\"]"),
            "server.conf:4:",
            "`10.0.0.1` is no network: write an address and the length of its prefix",
        ),
        (
            &format!("{head}experimental {{ event_timeout = \"1m\" sql_transaction_timeout = \"1m\" }}"),
            "server.conf:4:",
            "are the same setting",
        ),
        (
            &format!("{head}experimental {{ cache_reload_interval = \"24h\" }}"),
            "server.conf:4:",
            "must be longer than cache_reload_interval",
        ),
        (
            &format!("{head}experimental {{ cache_reload_interval = 5 }}"),
            "server.conf:4:",
            "a duration in quotes",
        ),
        (
            &format!("{head}experimental {{ named_pipe_name = \"x\" }}"),
            "server.conf:4:",
            "it is for Windows, use socket_path",
        ),
        (&format!("{head}log_level = \"loud\""), "server.conf:4:", "log_level"),
    ];
    for (server, place, remedy) in table {
        let problem = read(server).unwrap_err();
        assert!(problem.starts_with(place) && problem.contains(remedy), "{server}: {problem}");
    }
}

#[test]
fn balancers_are_named_by_their_networks() {
    let head = "trust_domain = \"example.org\"\ndata_dir = \"/data\"\n";
    let config =
        read(&format!("{head}proxy_protocol_trusted_cidrs = [\"10.0.0.0/8\", \"::1/128\"]")).unwrap();
    let networks: Vec<String> = config.proxy_protocol_trusted_cidrs.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
    assert!(read(head).unwrap().proxy_protocol_trusted_cidrs.is_empty());
}

#[test]
fn what_asks_for_nothing_is_accepted_and_what_has_no_effect_is_told() {
    let head = "trust_domain = \"example.org\"\ndata_dir = \"/data\"\n";
    let warnings = |lines: &str| read(&format!("{head}{lines}")).unwrap().warnings;
    let nothing = "profiling_enabled = false profiling_names = [] proxy_protocol_trusted_cidrs = []\n\
                   max_attested_node_info_staleness = \"0s\" federation { }\n\
                   experimental { events_based_cache = false require_pq_kem = false feature_flags = [] }";
    assert_eq!(warnings(nothing), Vec::<String>::new());
    let told = warnings(
        "experimental { events_based_cache = true cache_reload_intervall = \"1s\" }\nfederation { x = 1 }\nprofiling_port = 1",
    );
    let expected = [
        "server.conf:4:16: events_based_cache has no effect: the index follows each write at once",
        "server.conf:4:42: unknown key \"cache_reload_intervall\" in experimental (did you mean \"cache_reload_interval\"?); it has no effect",
        "server.conf:5:14: unknown key \"x\" in federation: remove it, or check the spelling; it has no effect",
        "server.conf:6:1: profiling_port has no effect: there is no profiler: use perf",
    ];
    assert_eq!(told, expected);
}

#[test]
fn bad_plugins_are_refused_with_line_and_remedy() {
    let store =
        "DataStore \"sql\" { plugin_data { database_type = \"sqlite3\" connection_string = \"/db\" } }";
    let keys = "KeyManager \"memory\" { plugin_data {} }";
    let table = [
        (keys.to_owned(), "plugins has no DataStore"),
        (store.to_owned(), "plugins has no KeyManager"),
        (format!("{store}\n{keys}\nKeyManager \"disk\" {{ plugin_data {{ }} }}"), "one KeyManager"),
        (
            format!("{store}\nKeyManager \"aws_kms\" {{ plugin_data {{ }} }}"),
            "KeyManager \"aws_kms\" is not supported yet: use \"memory\" or \"disk\"",
        ),
        (format!("{store}\nKeyManager \"disk\" {{ plugin_data {{ }} }}"), "no keys_path"),
        (format!("{store}\n{keys}\nNodeAttestor \"x509pop\" {{ }}"), "has no ca_bundle_path"),
        (
            format!("{store}\n{keys}\nUpstreamAuthority \"disk\" {{ }}"),
            "UpstreamAuthority \"disk\" is not supported yet: remove it",
        ),
        (format!("{store}\n{keys}\nNodeAttestor \"tpm\" {{ }}"), "NodeAttestor \"tpm\" is unknown: use"),
        (format!("{store}\n{keys}\nNotifer \"x\" {{ }}"), "did you mean \"Notifier\"?"),
        (
            format!("{store}\n{keys}\nNodeAttestor \"x\" {{ plugin_cmd = \"/x\" }}"),
            "plugin_cmd is not supported yet",
        ),
        (
            format!("{keys}\nDataStore \"sql\" {{ plugin_data {{ database_type = \"mysql\" }} }}"),
            "use \"sqlite3\"",
        ),
        (
            format!(
                "{keys}\nDataStore \"sql\" {{ plugin_data {{ database_type \"aws_mysql\" {{ region = \"x\" }} }} }}"
            ),
            "database_type with a block is not supported yet: use \"sqlite3\"",
        ),
        (
            format!("{keys}\nDataStore \"sql\" {{ plugin_data {{ database_type = \"sqlite3\" }} }}"),
            "no connection_string",
        ),
        (
            format!(
                "{keys}\nDataStore \"sql\" {{ plugin_data {{ database_type = \"sqlite3\" connection_string = \"file:x?mode=ro\" }} }}"
            ),
            "the path of a file",
        ),
        (
            format!("{store}\n{keys}\nNodeAttestor \"join_token\" {{ plugin_data {{ x = 1 }} }}"),
            "unknown key \"x\"",
        ),
    ];
    for (plugins, remedy) in table {
        let problem = with_plugins(&format!("plugins {{\n{plugins}\n}}")).unwrap_err();
        assert!(problem.starts_with("server.conf:") && problem.contains(remedy), "{plugins}: {problem}");
    }
    assert!(with_plugins("").unwrap_err().contains("there is no plugins { } block"));
}

/// A server whose only node attestor is x509pop, with this `plugin_data`.
fn with_x509pop(data: &str) -> Result<Config, String> {
    with_plugins(&format!(
        "plugins {{
            DataStore \"sql\" {{ plugin_data {{ database_type = \"sqlite3\" connection_string = \"/db\" }} }}
            KeyManager \"memory\" {{ plugin_data {{}} }}
            NodeAttestor \"x509pop\" {{ plugin_data {{ {data} }} }}
        }}"
    ))
}

#[test]
fn x509pop_has_spires_defaults() {
    let attestors = with_x509pop("ca_bundle_path = \"/ca.pem\"").unwrap().node_attestors;
    assert!(!attestors.join_token, "what is not named is off once another is named");
    let x509pop = attestors.x509pop.unwrap();
    assert_eq!(x509pop.mode, X509PopMode::ExternalPki { ca_bundle_paths: vec!["/ca.pem".into()] });
    assert_eq!((x509pop.max_intermediates, x509pop.max_rsa_key_size), (4, 8192));
    assert_eq!((x509pop.verify_client_ip, x509pop.agent_path_template), (false, None));
}

#[test]
fn x509pop_is_read_in_both_modes() {
    let external = with_x509pop(
        "mode = \"external_pki\" ca_bundle_paths = [\"/a.pem\", \"/b.pem\"] max_intermediates = 2
         max_rsa_key_size = 4096 verify_client_ip = true agent_path_template = \"/x509pop/{{ .SerialNumberHex }}\"",
    );
    let external = external.unwrap().node_attestors.x509pop.unwrap();
    let paths = ["/a.pem", "/b.pem"].map(Into::into).into();
    assert_eq!(external.mode, X509PopMode::ExternalPki { ca_bundle_paths: paths });
    assert_eq!((external.max_intermediates, external.max_rsa_key_size), (2, 4096));
    assert!(external.verify_client_ip && external.agent_path_template.is_some());
    for (data, prefix) in [
        ("mode = \"spiffe\"", "/spire-exchange"),
        ("mode = \"spiffe\" svid_prefix = \"/hosts\"", "/hosts"),
        ("mode = \"spiffe\" spiffe_prefix = \"/hosts/\"", "/hosts/"),
        ("mode = \"spiffe\" svid_prefix = \"\"", ""),
    ] {
        let mode = with_x509pop(data).unwrap().node_attestors.x509pop.unwrap().mode;
        assert_eq!(mode, X509PopMode::Spiffe { svid_prefix: prefix.to_owned() });
    }
}

#[test]
fn bad_x509pop_is_refused_with_line_and_remedy() {
    for (data, remedy) in [
        ("", "has no ca_bundle_path"),
        ("ca_bundle_paths = []", "has no ca_bundle_path"),
        ("ca_bundle_path = \"/a\" ca_bundle_paths = [\"/b\"]", "keep one"),
        ("mode = \"spiffe\" ca_bundle_path = \"/a\"", "unknown key \"ca_bundle_path\""),
        ("mode = \"pki\"", "use \"external_pki\" or \"spiffe\""),
        ("mode = \"spiffe\" svid_prefix = \"hosts\"", "must begin with a slash"),
        ("mode = \"spiffe\" svid_prefix = \"/a\" spiffe_prefix = \"/b\"", "keep one"),
        ("ca_bundle_path = \"/a\" svid_prefix = \"/b\"", "unknown key \"svid_prefix\""),
        ("ca_bundle_path = \"/a\" group_template = \"x\"", "unknown key \"group_template\""),
        ("ca_bundle_path = \"/a\" agent_path_template = \"/{{ .URIs }}\"", "`.URIs` is not served"),
        ("ca_bundle_path = \"/a\" agent_path_template = \"/join_token/a\"", "a path must begin with"),
    ] {
        let problem = with_x509pop(data).unwrap_err();
        assert!(problem.starts_with("server.conf:") && problem.contains(remedy), "{data}: {problem}");
    }
}

#[test]
fn join_tokens_are_served_unless_others_are_named_alone() {
    let plugins = |attestors: &str| {
        with_plugins(&format!(
            "plugins {{
                DataStore \"sql\" {{ plugin_data {{ database_type = \"sqlite3\" connection_string = \"/db\" }} }}
                KeyManager \"memory\" {{ plugin_data {{}} }}
                {attestors}
            }}"
        ))
    };
    let token = "NodeAttestor \"join_token\" { plugin_data {} }";
    let x509pop = "NodeAttestor \"x509pop\" { plugin_data { ca_bundle_path = \"/ca.pem\" } }";
    let served = |attestors: &str| {
        let config = plugins(attestors).unwrap().node_attestors;
        (config.join_token, config.x509pop.is_some())
    };
    assert_eq!(served(""), (true, false));
    assert_eq!(served(token), (true, false));
    assert_eq!(served(x509pop), (false, true));
    assert_eq!(served(&format!("{token} {x509pop}")), (true, true));
    for other in
        ["sshpop", "http_challenge", "k8s_psat", "tpm_devid", "aws_iid", "gcp_iit", "azure_msi", "azure_imds"]
    {
        let problem = plugins(&format!("NodeAttestor \"{other}\" {{ plugin_data {{ }} }}")).unwrap_err();
        assert!(problem.contains(&format!("\"{other}\" is not supported yet")), "{problem}");
    }
}

//! The node attestor, and what becomes of it beside a join token.

use std::time::SystemTime;

use finial_attest::X509PopFiles;
use finial_daemon::Clock;
use finial_receive::Endpoint;

use super::{AGENT, Config, PLUGINS, with};
use crate::config::NodeAttestorConfig;

const FILES: &str = "private_key_path = \"/node.key\" certificate_path = \"/node.pem\"";

/// The smallest configuration, with this node attestor.
fn with_attestor(agent: &str, name: &str, data: &str) -> Result<Config, String> {
    let plugins = PLUGINS
        .replace("\"join_token\" { plugin_data { } }", &format!("\"{name}\" {{ plugin_data {{ {data} }} }}"));
    assert_ne!(plugins, PLUGINS);
    Config::from_hcl(&(agent.to_owned() + &plugins), "agent.conf").map_err(|error| error.to_string())
}

fn files(intermediates_path: Option<&str>) -> NodeAttestorConfig {
    NodeAttestorConfig::X509Pop(X509PopFiles {
        private_key_path: "/node.key".into(),
        certificate_path: "/node.pem".into(),
        intermediates_path: intermediates_path.map(Into::into),
    })
}

#[test]
fn x509pop_is_read_in_both_modes() {
    let good = [
        (FILES.to_owned(), files(None)),
        (format!("{FILES} intermediates_path = \"/ca.pem\""), files(Some("/ca.pem"))),
        (
            "spiffe_endpoint_socket = \"unix:///run/host/agent.sock\"".to_owned(),
            NodeAttestorConfig::X509PopSpiffe(Endpoint::Unix("/run/host/agent.sock".into())),
        ),
    ];
    for (data, expected) in good {
        assert_eq!(with_attestor(AGENT, "x509pop", &data).unwrap().node_attestor, expected);
    }
}

#[test]
fn bad_node_attestors_are_refused_with_a_remedy() {
    let bad = [
        ("x509pop", "", "private_key_path is missing"),
        ("x509pop", "private_key_path = \"/node.key\"", "certificate_path is missing"),
        ("x509pop", "spiffe_endpoint_socket = \"/run/agent.sock\"", "must begin with unix: or tcp:"),
        (
            "x509pop",
            "spiffe_endpoint_socket = \"unix:///a\" certificate_path = \"/b\"",
            "unknown key \"certificate_path\"",
        ),
        ("x509pop", "ca_bundle_path = \"/a\"", "private_key_path is missing"),
        ("join_token", "token = \"a\"", "unknown key \"token\""),
    ];
    for (name, data, problem) in bad {
        let refused = with_attestor(AGENT, name, data).unwrap_err();
        assert!(refused.contains(problem), "{refused}\nlacks {problem}");
    }
    for name in
        ["sshpop", "http_challenge", "k8s_psat", "tpm_devid", "aws_iid", "gcp_iit", "azure_msi", "azure_imds"]
    {
        let refused = with_attestor(AGENT, name, "").unwrap_err();
        let problem =
            format!("NodeAttestor \"{name}\" is not supported yet: use \"join_token\" or \"x509pop\"");
        assert!(refused.contains(&problem), "{refused}");
    }
}

#[test]
fn with_a_join_token_the_attestor_does_not_count() {
    let (clock, _hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let evidence = |agent: &str| with_attestor(agent, "x509pop", FILES).unwrap().lasting_evidence(&clock);
    assert!(evidence(AGENT).is_some());
    for token in ["join_token = \"a\"", "join_token_file = \"/token\""] {
        let agent = with(token).replace(PLUGINS, "");
        assert!(evidence(&agent).is_none(), "{token}");
    }
}

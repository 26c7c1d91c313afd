//! Configurations of the workload attestor `k8s`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_plugin_k8s::{Credentials, K8sConfig, KubeletPort, Verification};

use super::{AGENT, PLUGINS};
use crate::config::Config;

/// The smallest configuration with these settings of `k8s`, beside `unix`.
fn k8s(settings: &str) -> Result<K8sConfig, String> {
    let attestor = format!("WorkloadAttestor \"k8s\" {{ plugin_data {{\n{settings}\n}} }}\n}}");
    let text = AGENT.to_owned() + PLUGINS.trim_end().strip_suffix('}').unwrap() + &attestor;
    let config = Config::from_hcl(&text, "agent.conf").map_err(|error| error.to_string())?;
    assert!(config.unix.is_some());
    Ok(config.k8s.unwrap())
}

#[test]
fn k8s_has_the_defaults_of_spire() {
    let config = k8s("").unwrap();
    assert_eq!(config, K8sConfig::default());
    let expected = KubeletPort::Secure {
        port: 10250,
        verification: Verification::Ca("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt".into()),
        credentials: Credentials::Token("/var/run/secrets/kubernetes.io/serviceaccount/token".into()),
    };
    assert_eq!(config.port, expected);
    assert_eq!((config.node_name.as_deref(), config.node_name_env.as_str()), (None, "MY_NODE_NAME"));
    assert_eq!(config.patience(), Duration::from_secs(30));
}

#[test]
fn every_key_of_k8s_is_taken() {
    let config = k8s(
        "kubelet_secure_port = 10260\n kubelet_ca_path = \"/ca\"\n token_path = \"/token\"\n node_name = \"n\"\n\
         node_name_env = \"NODE\"\n reload_interval = \"30s\"\n max_poll_attempts = 5\n poll_retry_interval = \"1s\"\n\
         disable_container_selectors = true\n use_new_container_locator = true\n use_anonymous_authentication = false",
    );
    let expected = K8sConfig {
        port: KubeletPort::Secure {
            port: 10260,
            verification: Verification::Ca("/ca".into()),
            credentials: Credentials::Token("/token".into()),
        },
        node_name: Some("n".to_owned()),
        node_name_env: "NODE".to_owned(),
        reload_interval: Duration::from_secs(30),
        max_poll_attempts: 5,
        poll_retry_interval: Duration::from_secs(1),
        disable_container_selectors: true,
    };
    assert_eq!(config.unwrap(), expected);
}

#[test]
fn kubelet_is_asked_as_configured() {
    let port = |settings| k8s(settings).unwrap().port;
    assert_eq!(port("kubelet_read_only_port = 10255"), KubeletPort::ReadOnly(10255));
    let secure = |verification, credentials| KubeletPort::Secure { port: 10250, verification, credentials };
    assert_eq!(
        port("skip_kubelet_verification = true\n use_anonymous_authentication = true"),
        secure(Verification::Skipped, Credentials::Anonymous)
    );
    assert_eq!(
        port("kubelet_ca_path = \"/ca\"\n certificate_path = \"/crt\"\n private_key_path = \"/key\""),
        secure(
            Verification::Ca("/ca".into()),
            Credentials::Certificate { certificate: "/crt".into(), key: "/key".into() }
        )
    );
}

#[test]
fn settings_of_k8s_that_cannot_be_served_are_refused_by_name() {
    for (settings, named) in [
        ("kubelet_read_only_port = 1\n kubelet_secure_port = 2", "exclude each other"),
        ("certificate_path = \"/crt\"", "certificate_path needs private_key_path"),
        ("private_key_path = \"/key\"", "private_key_path needs certificate_path"),
        ("token_path = \"/t\"\n use_anonymous_authentication = true", "exclude each other"),
        ("token_path = \"/t\"\n certificate_path = \"/c\"\n private_key_path = \"/k\"", "exclude each other"),
        ("sigstore { }", "sigstore is not supported yet"),
        ("experimental { sigstore { } }", "experimental is not supported yet"),
        ("enable_namespace_labels = true", "enable_namespace_labels is not supported yet"),
        ("disable_kubelet_client = true", "disable_kubelet_client is not supported yet"),
        ("verbose_container_locator_logs = true", "verbose_container_locator_logs is not supported yet"),
        ("use_new_container_locator = false", "leave use_new_container_locator out"),
        ("kubelet_secure_port = 65536", "kubelet_secure_port"),
        ("kubelet_securee_port = 1", "did you mean \"kubelet_secure_port\"?"),
    ] {
        let refused = k8s(settings).unwrap_err();
        assert!(refused.contains(named), "{settings}: {refused}");
    }
}

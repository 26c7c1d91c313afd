//! The settings of the `k8s` workload attestor, and a refusal by name of those that SPIRE has and this version has not.

use std::path::PathBuf;

use finial_daemon::hcl::{Block, HclError};
use finial_plugin_k8s::{Credentials, K8sConfig, KubeletPort, Verification};

use crate::config::keys::PLUGINS;

pub(super) fn read(mut settings: Block) -> Result<K8sConfig, HclError> {
    refuse_old_locator(&mut settings)?;
    settings.take_unserved(PLUGINS, "plugins.WorkloadAttestor.k8s")?;
    let defaults = K8sConfig::default();
    let config = K8sConfig {
        port: read_port(&mut settings)?,
        node_name: settings.take("node_name")?,
        node_name_env: settings.take("node_name_env")?.unwrap_or(defaults.node_name_env),
        reload_interval: settings.take("reload_interval")?.unwrap_or(defaults.reload_interval),
        max_poll_attempts: settings.take("max_poll_attempts")?.unwrap_or(defaults.max_poll_attempts),
        poll_retry_interval: settings.take("poll_retry_interval")?.unwrap_or(defaults.poll_retry_interval),
        disable_container_selectors: settings.take("disable_container_selectors")?.unwrap_or_default(),
    };
    settings.finish()?;
    Ok(config)
}

fn read_port(settings: &mut Block) -> Result<KubeletPort, HclError> {
    let read_only = settings.take::<u16>("kubelet_read_only_port")?;
    let secure = settings.take::<u16>("kubelet_secure_port")?;
    let verification = read_verification(settings)?;
    let credentials = read_credentials(settings)?;
    match (read_only.filter(|&port| port != 0), secure.filter(|&port| port != 0)) {
        (Some(_), Some(_)) => Err(settings.error_at(
            "kubelet_secure_port",
            "kubelet_read_only_port and kubelet_secure_port exclude each other: keep one",
        )),
        (Some(port), None) => Ok(KubeletPort::ReadOnly(port)),
        (None, port) => {
            let port = port.unwrap_or(K8sConfig::SECURE_PORT);
            Ok(KubeletPort::Secure { port, verification, credentials })
        }
    }
}

fn read_verification(settings: &mut Block) -> Result<Verification, HclError> {
    let path = settings.take::<PathBuf>("kubelet_ca_path")?.unwrap_or_else(|| K8sConfig::CA_PATH.into());
    match settings.take("skip_kubelet_verification")?.unwrap_or_default() {
        true => Ok(Verification::Skipped),
        false => Ok(Verification::Ca(path)),
    }
}

/// At most one way, as in SPIRE.
fn read_credentials(settings: &mut Block) -> Result<Credentials, HclError> {
    let token = settings.take::<PathBuf>("token_path")?;
    let certificate = settings.take::<PathBuf>("certificate_path")?;
    let key = settings.take::<PathBuf>("private_key_path")?;
    let is_anonymous = settings.take("use_anonymous_authentication")?.unwrap_or_default();
    match (is_anonymous, token, certificate, key) {
        (true, None, None, None) => Ok(Credentials::Anonymous),
        (false, None, None, None) => Ok(Credentials::Token(K8sConfig::TOKEN_PATH.into())),
        (false, Some(path), None, None) => Ok(Credentials::Token(path)),
        (false, None, Some(certificate), Some(key)) => Ok(Credentials::Certificate { certificate, key }),
        (false, None, Some(_), None) => {
            Err(settings.error_at("certificate_path", "certificate_path needs private_key_path: add it"))
        }
        (false, None, None, Some(_)) => {
            Err(settings.error_at("private_key_path", "private_key_path needs certificate_path: add it"))
        }
        _ => Err(settings.error(
            "token_path, certificate_path and use_anonymous_authentication exclude each other: keep one",
        )),
    }
}

/// There is but one locator here, and it is the new one.
fn refuse_old_locator(settings: &mut Block) -> Result<(), HclError> {
    if settings.take("use_new_container_locator")?.unwrap_or(true) {
        return Ok(());
    }
    let problem =
        "the container locator before SPIRE 1.9 is not supported: leave use_new_container_locator out";
    Err(settings.error_at("use_new_container_locator", problem))
}

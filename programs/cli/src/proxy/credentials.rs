//! The flags of `finial proxy` that name an identity, and ghostunnel's environment variables for them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use finial_daemon::go;
use finial_proxy::CredentialFlags;
use finial_receive::{ENDPOINT_VARIABLE, Endpoint, Password};

use super::Called;
use super::values::{self, given};

#[derive(Args)]
pub(super) struct Credentials {
    /// A file with certificate and key: PEM, or PKCS#12 (.p12, .pfx)
    #[arg(long, env = "KEYSTORE_PATH", value_name = "FILE", value_parser = values::path())]
    keystore: Option<PathBuf>,
    /// A PEM file with the certificate chain, leaf first
    #[arg(long, env = "CERT_PATH", value_name = "FILE", value_parser = values::path())]
    cert: Option<PathBuf>,
    /// A PEM file with the key of the certificate
    #[arg(long, env = "KEY_PATH", value_name = "FILE", value_parser = values::path())]
    key: Option<PathBuf>,
    /// The password of a PKCS#12 keystore; better given by the variable, which other users cannot see
    #[arg(long, env = "KEYSTORE_PASS", value_name = "PASSWORD", hide_env_values = true)]
    storepass: Option<String>,
    /// A PEM file with the authorities of peers [default: those of the operating system]
    #[arg(long, env = "CACERT_PATH", value_name = "FILE", value_parser = values::path())]
    cacert: Option<PathBuf>,
    /// How often the files are read again, beside SIGHUP and SIGUSR1
    #[arg(long = "timed-reload", value_name = "DURATION", value_parser = go::parse_duration)]
    timed_reload: Option<Duration>,
    /// The agent, as unix:///path/agent.sock; gives identity and authorities
    #[arg(long = "use-workload-api-addr", value_name = "ENDPOINT")]
    workload_api: Option<String>,
    /// The agent that $SPIFFE_ENDPOINT_SOCKET names; the default where no files are given and the variable is set
    #[arg(long = "use-workload-api")]
    use_workload_api: bool,
}

impl Credentials {
    pub(super) fn flags(&self, called: Called, anonymous: bool) -> Result<CredentialFlags> {
        let mut flags = CredentialFlags {
            keystore: given(&self.keystore),
            password: self.storepass.clone().map(Password::new),
            certificate: given(&self.cert),
            key: given(&self.key),
            authorities: given(&self.cacert),
            workload_api: None,
            timed_reload: self.timed_reload,
            ..CredentialFlags::default()
        };
        let files = flags.keystore.is_some() || flags.certificate.is_some() || flags.key.is_some();
        flags.workload_api = self.endpoint(called, files || anonymous)?;
        if called == Called::Ghostunnel {
            // Both have no effect there, and are no fault.
            flags.authorities = flags.authorities.filter(|_| flags.workload_api.is_none());
            flags.timed_reload = flags.timed_reload.filter(|every| !every.is_zero());
        }
        Ok(flags)
    }

    /// The variable alone asks for nothing when `other` was asked for; to ghostunnel it is as good as the flag.
    fn endpoint(&self, called: Called, other: bool) -> Result<Option<Endpoint>> {
        if let Some(text) = self.workload_api.as_deref().filter(|text| !text.is_empty()) {
            return Endpoint::parse(text).context("--use-workload-api-addr").map(Some);
        }
        let named = std::env::var_os(ENDPOINT_VARIABLE).is_some_and(|value| !value.is_empty());
        if self.use_workload_api || (named && (called == Called::Ghostunnel || !other)) {
            return Endpoint::from_env().context("no --use-workload-api-addr is given").map(Some);
        }
        Ok(None)
    }
}

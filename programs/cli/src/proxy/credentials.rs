//! The flags of `finial proxy` that name an identity, and ghostunnel's environment variables for them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use finial_daemon::go;
use finial_proxy::CredentialFlags;
use finial_receive::{ENDPOINT_VARIABLE, Endpoint};

#[derive(Args)]
pub(super) struct Credentials {
    /// A PEM file with certificate and key
    #[arg(long, env = "KEYSTORE_PATH", value_name = "FILE")]
    keystore: Option<PathBuf>,
    /// A PEM file with the certificate chain, leaf first
    #[arg(long, env = "CERT_PATH", value_name = "FILE")]
    cert: Option<PathBuf>,
    /// A PEM file with the key of the certificate
    #[arg(long, env = "KEY_PATH", value_name = "FILE")]
    key: Option<PathBuf>,
    /// Of PKCS#12 and Java keystores, which are not read
    #[arg(long, env = "KEYSTORE_PASS", hide = true, hide_env_values = true)]
    storepass: Option<String>,
    /// A PEM file with the authorities of peers [default: those of the operating system]
    #[arg(long, env = "CACERT_PATH", value_name = "FILE")]
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
    /// The variable alone asks for nothing when something else was asked for.
    pub(super) fn flags(&self, anonymous: bool) -> Result<CredentialFlags> {
        if self.storepass.is_some() {
            bail!(
                "--storepass is of PKCS#12 and Java keystores, which are not read: write the keystore as PEM"
            );
        }
        let files = self.keystore.is_some() || self.cert.is_some() || self.key.is_some();
        let named = std::env::var_os(ENDPOINT_VARIABLE).is_some_and(|value| !value.is_empty());
        let workload_api = match &self.workload_api {
            Some(text) => Some(Endpoint::parse(text).context("--use-workload-api-addr")?),
            None if self.use_workload_api || (named && !files && !anonymous) => {
                Some(Endpoint::from_env().context("no --use-workload-api-addr is given")?)
            }
            None => None,
        };
        Ok(CredentialFlags {
            keystore: self.keystore.clone(),
            certificate: self.cert.clone(),
            key: self.key.clone(),
            authorities: self.cacert.clone(),
            workload_api,
            timed_reload: self.timed_reload,
        })
    }
}

//! Flags of ghostunnel that ask for what is not served. They are read so as to be refused by name, and hidden.

use anyhow::{Result, bail};
use clap::Args;
use finial_proxy::{AcmeFlags, KeyFlags, PolicyFlags};

use super::Called;

/// The variable that names a PKCS#11 module to ghostunnel.
const MODULE_VARIABLE: &str = "PKCS11_MODULE";

/// Of both kinds of proxy.
#[derive(Args)]
pub(super) struct Unserved {
    #[arg(long = "pkcs11-module", hide = true)]
    module: Option<String>,
    #[arg(long = "pkcs11-token-label", hide = true)]
    _label: Option<String>,
    #[arg(long = "pkcs11-pin", hide = true)]
    _pin: Option<String>,
    #[arg(long = "keychain-identity", hide = true)]
    identity: Option<String>,
    #[arg(long = "keychain-issuer", hide = true)]
    issuer: Option<String>,
    #[arg(long = "keychain-require-token", hide = true)]
    _token: bool,
    #[arg(long, hide = true)]
    syslog: bool,
    #[arg(long, hide = true)]
    eventlog: bool,
    /// On by default since long
    #[arg(long = "use-landlock", hide = true)]
    _landlock: bool,
}

/// Rules in the language of OPA, about callers.
#[derive(Args)]
pub(super) struct AllowPolicy {
    #[arg(long = "allow-policy", hide = true)]
    policy: Option<String>,
    #[arg(long = "allow-query", hide = true)]
    query: Option<String>,
}

/// Rules in the language of OPA, about servers.
#[derive(Args)]
pub(super) struct VerifyPolicy {
    #[arg(long = "verify-policy", hide = true)]
    policy: Option<String>,
    #[arg(long = "verify-query", hide = true)]
    query: Option<String>,
}

/// A certificate from an ACME server.
#[derive(Args)]
pub(super) struct Acme {
    #[arg(long = "auto-acme-cert", hide = true)]
    name: Option<String>,
    #[arg(long = "auto-acme-email", hide = true)]
    email: Option<String>,
    #[arg(long = "auto-acme-agree-to-tos", hide = true)]
    agreed: bool,
    #[arg(long = "auto-acme-ca", hide = true)]
    _ca: Option<String>,
    #[arg(long = "auto-acme-testca", hide = true)]
    _test_ca: Option<String>,
    #[arg(long = "auto-acme-renew-check-interval", hide = true)]
    _interval: Option<String>,
    #[arg(long = "auto-acme-alt-tls-alpn-port", hide = true)]
    _port: Option<String>,
}

impl Unserved {
    /// What has no place in the order of the other rules.
    pub(super) fn refuse(&self) -> Result<()> {
        if self.syslog {
            bail!(
                "--syslog is not served: the log goes to standard output; let systemd, or a pipe to logger(1), pass it on"
            );
        }
        if self.eventlog {
            bail!("--eventlog is not served: it is of Windows; the log goes to standard output");
        }
        Ok(())
    }

    /// The variable counts under ghostunnel's name only: other programs have one that is called so.
    pub(super) fn keys(&self, called: Called) -> KeyFlags {
        let named = called == Called::Ghostunnel
            && std::env::var_os(MODULE_VARIABLE).is_some_and(|module| !module.is_empty());
        KeyFlags {
            pkcs11: named || says(&self.module).is_some(),
            keychain: says(&self.identity).or(says(&self.issuer)).is_some(),
        }
    }
}

impl AllowPolicy {
    pub(super) fn flags(&self) -> PolicyFlags {
        PolicyFlags { policy: says(&self.policy), query: says(&self.query) }
    }
}

impl VerifyPolicy {
    pub(super) fn flags(&self) -> PolicyFlags {
        PolicyFlags { policy: says(&self.policy), query: says(&self.query) }
    }
}

impl Acme {
    pub(super) fn flags(&self) -> AcmeFlags {
        AcmeFlags { name: says(&self.name), email: says(&self.email), agreed: self.agreed }
    }
}

/// An empty text is none.
fn says(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

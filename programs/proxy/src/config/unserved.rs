//! What ghostunnel serves and this proxy does not: read, so that it is refused by name, in ghostunnel's place for it.

use crate::ProxyError;

/// `--allow-policy` and `--allow-query`, or `--verify-policy` and `--verify-query`: rules in the language of OPA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyFlags {
    /// Where the rules are.
    pub policy: Option<String>,
    /// What they are asked.
    pub query: Option<String>,
}

/// `--auto-acme-…`: a certificate that an ACME server gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcmeFlags {
    /// `--auto-acme-cert`: the name it is for.
    pub name: Option<String>,
    /// `--auto-acme-email`: who asks for it.
    pub email: Option<String>,
    /// `--auto-acme-agree-to-tos`: its terms are agreed to.
    pub agreed: bool,
}

/// Keys that are not in files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFlags {
    /// `--pkcs11-module`: a key in a token.
    pub pkcs11: bool,
    /// `--keychain-identity`, `--keychain-issuer`: one in a keychain of the operating system.
    pub keychain: bool,
}

impl PolicyFlags {
    pub(super) fn are_given(&self) -> bool {
        self.policy.is_some() || self.query.is_some()
    }

    /// `prefix` is `--allow` or `--verify`.
    pub(super) fn refuse(&self, prefix: &'static str) -> Result<(), ProxyError> {
        match (&self.policy, &self.query) {
            (None, None) => Ok(()),
            (Some(_), Some(_)) => Err(ProxyError::Unserved {
                flag: if prefix == "--allow" { "--allow-policy" } else { "--verify-policy" },
                remedy: "policies of OPA are not read: name the peers by the other flags, such as --allow-uri or --verify-uri",
            }),
            _ => Err(ProxyError::HalfPolicy { prefix }),
        }
    }
}

impl AcmeFlags {
    pub(super) fn refuse(&self) -> Result<(), ProxyError> {
        match (&self.name, &self.email, self.agreed) {
            (None, ..) => Ok(()),
            (Some(_), None, _) => Err(ProxyError::AcmeWithoutEmail),
            (Some(_), Some(_), false) => Err(ProxyError::AcmeWithoutAgreement),
            (Some(_), Some(_), true) => Err(ProxyError::Unserved {
                flag: "--auto-acme-cert",
                remedy: "certificates are not fetched by ACME: let an ACME client write them, name the files by --cert and --key, and send SIGHUP when they change",
            }),
        }
    }
}

impl KeyFlags {
    pub(super) fn refuse(&self) -> Result<(), ProxyError> {
        if self.keychain {
            return Err(ProxyError::Unserved {
                flag: "--keychain-identity",
                remedy: "keychains are of macOS and Windows: name files by --cert and --key, or use the Workload API",
            });
        }
        if self.pkcs11 {
            return Err(ProxyError::Unserved {
                flag: "--pkcs11-module",
                remedy: "keys in tokens are not used: name a file by --key, or use the Workload API",
            });
        }
        Ok(())
    }
}

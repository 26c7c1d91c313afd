//! Where the identity comes from: ghostunnel's flags, and its rules on which of them go together.

use std::path::PathBuf;
use std::time::Duration;

use finial_receive::{Endpoint, Password, WebFiles, WebPair, WebRoots};

use super::{AcmeFlags, KeyFlags};
use crate::ProxyError;

/// The flags that name certificates. They exclude each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialFlags {
    /// `--keystore`: a file with certificate and key, PEM or PKCS#12.
    pub keystore: Option<PathBuf>,
    /// `--storepass`: what opens a PKCS#12 keystore.
    pub password: Option<Password>,
    /// `--cert`: a PEM chain, leaf first.
    pub certificate: Option<PathBuf>,
    /// `--key`: the PEM key of the leaf.
    pub key: Option<PathBuf>,
    /// `--cacert`: the authorities of peers; without it those of the operating system.
    pub authorities: Option<PathBuf>,
    /// `--use-workload-api-addr`: the agent that gives identity and bundles.
    pub workload_api: Option<Endpoint>,
    /// `--timed-reload`: how often the files are read again.
    pub timed_reload: Option<Duration>,
    /// A certificate from an ACME server, which is refused.
    pub acme: AcmeFlags,
    /// Keys that are not in files, which are refused.
    pub keys: KeyFlags,
}

/// What is presented, and what peers are verified by. Both are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    WorkloadApi(Endpoint),
    Files { files: WebFiles, every: Option<Duration> },
}

/// Whether the other end is verified, and whether it verifies us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Both ends present a certificate.
    Mutual,
    /// The client presents none.
    ServerOnly,
}

impl Own {
    /// For peers that are verified by no authority: `--cacert` has no effect then.
    pub(super) fn without_roots(self) -> Self {
        match self {
            Self::Files { files, every } => {
                Self::Files { files: WebFiles { roots: WebRoots::None, ..files }, every }
            }
            agent @ Self::WorkloadApi(_) => agent,
        }
    }
}

impl CredentialFlags {
    /// The identity of this agent's workload.
    pub fn workload_api(endpoint: Endpoint) -> Self {
        Self { workload_api: Some(endpoint), ..Self::default() }
    }

    /// Of a server, which must present something.
    pub(super) fn server(self, trust: Trust) -> Result<Own, ProxyError> {
        match self.sources() {
            0 => return Err(ProxyError::NoServerCredential),
            1 => {}
            _ => return Err(ProxyError::ServerCredentials),
        }
        self.check_keys()?;
        let roots = if trust == Trust::Mutual { self.roots() } else { WebRoots::None };
        self.read(roots)
    }

    /// Of a client, which may present nothing, and always verifies the server.
    pub(super) fn client(self, trust: Trust) -> Result<Own, ProxyError> {
        let anonymous = trust == Trust::ServerOnly;
        match (self.sources(), anonymous) {
            (0, false) => return Err(ProxyError::NoClientCredential),
            (1, false) | (0, true) => {}
            // The agent's bundles verify the server; nothing is presented.
            (1, true) if self.workload_api.is_some() => {}
            _ => return Err(ProxyError::ClientCredentials),
        }
        self.check_keys()?;
        let roots = self.roots();
        self.read(roots)
    }

    fn roots(&self) -> WebRoots {
        self.authorities.clone().map_or(WebRoots::System, WebRoots::File)
    }

    /// How many of the ways to an identity were taken, as ghostunnel counts: half a pair is none.
    fn sources(&self) -> usize {
        let of_certificate = |key| self.certificate.is_some() && key;
        let ways = [
            self.keystore.is_some(),
            self.keys.keychain,
            of_certificate(self.key.is_some()),
            of_certificate(self.keys.pkcs11),
            self.workload_api.is_some(),
            self.acme.name.is_some(),
        ];
        ways.into_iter().filter(|given| *given).count()
    }

    /// Half a pair beside another way, and keys that are elsewhere.
    fn check_keys(&self) -> Result<(), ProxyError> {
        let lone_certificate = self.certificate.is_some() && self.key.is_none() && !self.keys.pkcs11;
        if lone_certificate || (self.key.is_some() && self.certificate.is_none()) {
            return Err(ProxyError::HalfPair);
        }
        self.keys.refuse()
    }

    fn read(self, roots: WebRoots) -> Result<Own, ProxyError> {
        let own = match (self.keystore, self.certificate, self.key) {
            (Some(path), _, _) => {
                Some(WebPair { certificate: path.clone(), key: path, password: self.password })
            }
            (None, Some(certificate), Some(key)) => Some(WebPair { certificate, key, password: None }),
            (None, None, None) => None,
            _ => return Err(ProxyError::HalfPair),
        };
        match self.workload_api {
            Some(_) if self.authorities.is_some() => Err(ProxyError::AuthoritiesOfAgent),
            Some(endpoint) => Ok(Own::WorkloadApi(endpoint)),
            None => {
                if self.timed_reload.is_some_and(|every| every.is_zero()) {
                    return Err(ProxyError::NoReloadInterval);
                }
                Ok(Own::Files { files: WebFiles { own, roots }, every: self.timed_reload })
            }
        }
    }
}

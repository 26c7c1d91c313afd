//! The first contact: where the bundle comes from that the server is verified with, before the server itself says.

mod first_use;
mod http;
#[cfg(test)]
mod tests;
mod trust;
mod workload_api;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::{Backoff, Clock, go};
use finial_identity::{Bundle, BundleError, TrustDomain};
use finial_tls::{WebConnector, WebRootsError};

use crate::channel::Dialer;
use crate::config::{BundleFormat, BundleUrl, Config, Servers, TrustBundle};

#[cfg(feature = "testing")]
pub use http::fetched_document;
pub(crate) use trust::Trust;

use first_use::FirstUseError;
use http::{Client, HttpError};

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// What to do about every file and document of a bundle.
const REMEDY: &str = "write it with `finial bundle show` on the server";

/// Gets the bundle from where the operator said that it is.
#[derive(Clone, Debug)]
pub(crate) struct Bootstrap {
    source: TrustBundle,
    format: BundleFormat,
    trust_domain: TrustDomain,
    servers: Servers,
    http: Client,
    clock: Clock,
    begun: SystemTime,
    attempts: u64,
}

/// On which occasion the bundle is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The agent has none.
    First,
    /// No server could be verified any more with the one that it has.
    Again,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    #[error(
        "no trust bundle to verify the server with: write one with `finial bundle show` on the server, and give it as \
         trust_bundle_path or -trustBundle"
    )]
    NotGiven,
    #[error("cannot read the trust bundle {}: {REMEDY}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the trust bundle {place} cannot be used: {REMEDY}, and see that trust_bundle_format fits")]
    Unusable { place: String, source: BundleError },
    #[error("the trust bundle is of `{found}`, not of the agent's trust domain `{own}`")]
    Foreign { found: TrustDomain, own: TrustDomain },
    #[error("the trust bundle holds no certificate: write one with `finial bundle show` on the server")]
    Empty,
    #[error("the trust bundle cannot be fetched from {url}")]
    Http { url: String, source: HttpError },
    #[error("the trust bundle cannot be fetched over https")]
    Roots(#[from] WebRootsError),
    #[error("the trust bundle cannot be had from the workload api: {0}")]
    WorkloadApi(workload_api::Refusal),
    #[error("the server cannot be trusted on first use")]
    FirstUse(#[from] FirstUseError),
}

impl BootstrapError {
    /// Whether the same question may get an answer a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Http { source, .. } => source.is_passing(),
            Self::WorkloadApi(refusal) => refusal.is_passing(),
            Self::FirstUse(error) => error.is_passing(),
            _ => false,
        }
    }
}

impl Bootstrap {
    /// # Errors
    /// When the bundle is published on the web, and the system trusts nobody there.
    pub(crate) fn new(config: &Config, clock: &Clock) -> Result<Self, BootstrapError> {
        let web = match &config.trust_bundle {
            TrustBundle::Url(url) if url.socket().is_none() => Some(WebConnector::with_system_roots(clock)?),
            _ => None,
        };
        Ok(Self {
            source: config.trust_bundle.clone(),
            format: config.trust_bundle_format,
            trust_domain: config.trust_domain.clone(),
            servers: config.servers.clone(),
            http: Client::new(web, clock),
            clock: clock.clone(),
            begun: clock.now(),
            attempts: 0,
        })
    }

    /// Whether looking costs no more than reading a file of this machine.
    pub(crate) fn is_at_hand(&self) -> bool {
        matches!(self.source, TrustBundle::File(_) | TrustBundle::Given(_))
    }

    /// Not whom one may trust only once.
    pub(crate) fn may_be_asked_again(&self) -> bool {
        !matches!(self.source, TrustBundle::Insecure)
    }

    /// Asks once.
    ///
    /// # Errors
    /// When there is none, or it is not a bundle of the own trust domain with at least one certificate.
    pub(crate) async fn ask(
        &mut self,
        occasion: Occasion,
        dialer: &Dialer,
    ) -> Result<Bundle, BootstrapError> {
        if self.attempts == 0 {
            self.begun = self.clock.now();
        }
        self.attempts += 1;
        let bundle = match &self.source {
            TrustBundle::NotGiven => return Err(BootstrapError::NotGiven),
            TrustBundle::Given(bundle) => bundle.clone(),
            TrustBundle::File(path) => self.read(path)?,
            // Boxed, as are the others below: they are rarely asked, and large.
            TrustBundle::Url(url) => Box::pin(self.fetch(url, occasion)).await?,
            TrustBundle::WorkloadApi(endpoint) => {
                let asked = Box::pin(workload_api::bundle(endpoint, &self.trust_domain, &self.clock)).await;
                asked.map_err(BootstrapError::WorkloadApi)?
            }
            TrustBundle::Insecure => {
                Box::pin(first_use::bundle(dialer, &self.trust_domain, &self.clock)).await?
            }
        };
        if bundle.trust_domain != self.trust_domain {
            return Err(BootstrapError::Foreign {
                found: bundle.trust_domain,
                own: self.trust_domain.clone(),
            });
        }
        if bundle.x509_authorities.is_empty() {
            return Err(BootstrapError::Empty);
        }
        self.attempts = 0;
        Ok(bundle)
    }

    /// Asks until there is an answer: what passes by itself is waited out.
    ///
    /// # Errors
    /// What does not pass by itself.
    pub(crate) async fn wait(
        &mut self,
        occasion: Occasion,
        dialer: &Dialer,
    ) -> Result<Bundle, BootstrapError> {
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        loop {
            let error = match self.ask(occasion, dialer).await {
                Err(error) if error.is_passing() => error,
                done => return done,
            };
            let pause = backoff.next();
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(
                error,
                retry_in_s = pause.as_secs_f32(),
                "there is no trust bundle yet; trying again"
            );
            self.clock.sleep(pause).await;
        }
    }

    /// Asks again, for a bundle that names an authority which `current` does not, and to which a server that answers
    /// leads: an old file, or one of somebody else's, shall not cost the agent what it has.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(crate) async fn ask_again(
        &mut self,
        current: &Bundle,
        dialer: &Dialer,
    ) -> Result<Option<Arc<Bundle>>, BootstrapError> {
        let bundle = Arc::new(self.ask(Occasion::Again, dialer).await?);
        let is_known = bundle.x509_authorities.iter().all(|it| current.x509_authorities.contains(it));
        let is_of_use = !is_known && dialer.is_vouched_for_by(&bundle).await;
        Ok(is_of_use.then_some(bundle))
    }

    fn read(&self, path: &Path) -> Result<Bundle, BootstrapError> {
        let text =
            std::fs::read(path).map_err(|source| BootstrapError::File { path: path.to_owned(), source })?;
        self.parse(&text, &path.display().to_string())
    }

    async fn fetch(&self, url: &BundleUrl, occasion: Occasion) -> Result<Bundle, BootstrapError> {
        let query = url.socket().map(|_| self.circumstances(occasion));
        let fetched = self.http.get(url, query.as_deref()).await;
        let text = fetched.map_err(|source| BootstrapError::Http { url: url.uri().to_string(), source })?;
        self.parse(&text, &url.uri().to_string())
    }

    fn parse(&self, text: &[u8], place: &str) -> Result<Bundle, BootstrapError> {
        let trust_domain = self.trust_domain.clone();
        let bundle = match self.format {
            BundleFormat::Pem => Bundle::parse_pem(trust_domain, text),
            BundleFormat::Spiffe => Bundle::parse_spiffe_json(trust_domain, text),
        };
        bundle.map_err(|source| BootstrapError::Unusable { place: place.to_owned(), source })
    }

    /// What a program on this machine is told to decide by, in SPIRE's words.
    fn circumstances(&self, occasion: Occasion) -> String {
        let mode = match occasion {
            Occasion::First => "bootstrap",
            Occasion::Again => "rebootstrap",
        };
        let (address, port) = match &self.servers {
            Servers::Listed(servers) => {
                let hosts: Vec<&str> = servers.iter().map(|server| server.host.as_str()).collect();
                (hosts.join(","), self.servers.port().unwrap_or_default())
            }
            Servers::Srv(name) => (name.clone(), 0),
        };
        let pairs = [
            ("spiffe-trust-domain", self.trust_domain.name().to_owned()),
            ("spire-attest-mode", mode.to_owned()),
            ("spire-attest-start-time", go::format_rfc3339(self.begun)),
            ("spire-connection-attempts", self.attempts.to_string()),
            ("spire-server-address", address),
            ("spire-server-port", port.to_string()),
        ];
        let pairs = pairs.map(|(key, value)| format!("{key}={}", http::escape(&value)));
        pairs.join("&")
    }
}

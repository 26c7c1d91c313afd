//! The server's half: judges a certificate, and whoever claims to hold its key.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_identity::{ForeignChain, Role, Selector, SelectorSet, SpiffeId, TrustDomain, X509Svid};
use finial_store::Index;
use finial_wire::server::Dialogue;
use rustls_pki_types::CertificateDer;

use super::KIND;
use super::authorities::AuthorityFiles;
use super::message::{self, Presentation};
use super::proof::Examination;
use super::template::{Facts, X509PopPathTemplate};
use crate::{AttestError, NodeAttestor, NodeFindings};

/// How x509pop judges. The defaults are SPIRE's.
#[derive(Clone, Debug)]
pub struct X509PopConfig {
    /// Whose certificates count.
    pub mode: X509PopMode,
    /// How the ID of an agent is made. Default: of the fingerprint, or of the SVID's path.
    pub agent_path_template: Option<X509PopPathTemplate>,
    /// The most certificates beside the leaf. Default: 4.
    pub max_intermediates: usize,
    /// The largest RSA key of any certificate, in bits, up to 8192. Default: 8192.
    pub max_rsa_key_size: u32,
    /// Whether the leaf must name the address that the agent calls from. Default: off.
    pub verify_client_ip: bool,
}

/// Whose certificates count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum X509PopMode {
    /// Those that lead to an authority in these PEM files, which are read for each attestation.
    ExternalPki {
        /// At least one.
        ca_bundle_paths: Vec<PathBuf>,
    },
    /// X.509-SVIDs of the server's own trust domain, below a path.
    Spiffe {
        /// The path. Default: [`SVID_PREFIX`](Self::SVID_PREFIX). Empty: any.
        svid_prefix: String,
    },
}

impl X509PopMode {
    /// SPIRE's prefix of SVIDs that may be exchanged.
    pub const SVID_PREFIX: &str = "/spire-exchange";
}

impl X509PopConfig {
    /// SPIRE's defaults.
    pub fn new(mode: X509PopMode) -> Self {
        Self {
            mode,
            agent_path_template: None,
            max_intermediates: 4,
            max_rsa_key_size: 8192,
            verify_client_ip: false,
        }
    }
}

/// The server's half of x509pop.
#[derive(Debug)]
pub struct X509PopAttestor {
    trust_domain: TrustDomain,
    trust: Trust,
    template: X509PopPathTemplate,
    max_intermediates: usize,
    max_rsa_key_size: u32,
    verify_client_ip: bool,
    clock: Clock,
}

#[derive(Debug)]
enum Trust {
    Files(AuthorityFiles),
    /// With the path that SVIDs must be below, which ends with a slash.
    OwnBundle(Index, String),
}

/// A chain that leads to a trusted authority.
struct Trusted {
    /// The fingerprints of what stands above the leaf.
    path: Vec<String>,
    svid_path: Option<String>,
}

impl X509PopAttestor {
    /// Attests agents of `trust_domain`. `index` gives the own bundle in the mode `spiffe`.
    ///
    /// # Errors
    /// [`AttestError::File`] when the authorities cannot be read, [`AttestError::Setting`].
    pub fn new(
        trust_domain: TrustDomain,
        config: X509PopConfig,
        index: &Index,
        clock: Clock,
    ) -> Result<Self, AttestError> {
        let (trust, default) = match config.mode {
            X509PopMode::ExternalPki { ca_bundle_paths } if ca_bundle_paths.is_empty() => {
                return Err(setting(
                    "ca_bundle_path",
                    "name a file with the authorities of the certificates",
                ));
            }
            X509PopMode::ExternalPki { ca_bundle_paths } => {
                let files = AuthorityFiles::open(ca_bundle_paths)?;
                (Trust::Files(files), X509PopPathTemplate::of_fingerprint())
            }
            X509PopMode::Spiffe { svid_prefix } => {
                let prefix = format!("{}/", svid_prefix.trim_end_matches('/'));
                if !prefix.starts_with('/') {
                    return Err(setting("svid_prefix", "begin it with a slash, as every path does"));
                }
                (Trust::OwnBundle(index.clone(), prefix), X509PopPathTemplate::of_svid_path())
            }
        };
        let template = config.agent_path_template.unwrap_or(default);
        if template.needs_svid() && matches!(trust, Trust::Files(_)) {
            return Err(setting(
                "agent_path_template",
                "leave out .SVIDPathTrimmed, or set mode = \"spiffe\"",
            ));
        }
        if config.max_rsa_key_size > 8192 {
            return Err(setting("max_rsa_key_size", "set 8192 or less; larger keys are not served"));
        }
        Ok(Self {
            trust_domain,
            trust,
            template,
            max_intermediates: config.max_intermediates,
            max_rsa_key_size: config.max_rsa_key_size,
            verify_client_ip: config.verify_client_ip,
            clock,
        })
    }

    /// The chain that an agent presents, within the limits: no signature has been looked at.
    fn read(&self, payload: &[u8]) -> Result<ForeignChain, AttestError> {
        let presented: Presentation = message::read("payload", payload)?;
        let intermediates = presented.certificates.len().saturating_sub(1);
        if intermediates > self.max_intermediates {
            return Err(evidence(format!(
                "{intermediates} certificates beside the leaf are more than max_intermediates allows ({})",
                self.max_intermediates
            )));
        }
        let chain = presented.certificates.into_iter().map(|der| CertificateDer::from(der.0)).collect();
        let chain = ForeignChain::from_chain(chain)
            .map_err(|error| evidence(format!("the certificates cannot be read: {}", with_causes(&error))))?;
        let bits = chain.largest_rsa_key();
        if bits > self.max_rsa_key_size {
            return Err(evidence(format!(
                "an RSA key of {bits} bits is more than max_rsa_key_size allows ({})",
                self.max_rsa_key_size
            )));
        }
        if !chain.has_digital_signature() {
            return Err(evidence("the certificate lacks key usage digitalSignature".to_owned()));
        }
        Ok(chain)
    }

    async fn trusted(&self, chain: &ForeignChain, now: SystemTime) -> Result<Trusted, AttestError> {
        match &self.trust {
            Trust::Files(files) => {
                let authorities = files.current().await;
                let path = chain.verify(&authorities, now).map_err(unproven)?;
                Ok(Trusted { path, svid_path: None })
            }
            Trust::OwnBundle(index, prefix) => {
                let snapshot = index.snapshot();
                let svid = X509Svid::from_chain(chain.chain().to_vec()).map_err(unproven)?;
                let svid = svid.verify(snapshot.bundles(), now, Role::Client).map_err(unproven)?;
                let bundle = snapshot.bundle(&self.trust_domain);
                let authorities = bundle.map_or(&[][..], |bundle| &bundle.x509_authorities);
                let path = chain.verify(authorities, now).map_err(unproven)?;
                let id = svid.id();
                let below = id.path().strip_prefix(prefix.as_str());
                let is_own = id.is_member_of(&self.trust_domain);
                let svid_path = below.filter(|below| is_own && !below.is_empty()).ok_or_else(|| {
                    let problem = format!("`{id}` is not below `{}{prefix}`", self.trust_domain.id());
                    AttestError::Unproven { problem, source: None }
                })?;
                Ok(Trusted { path, svid_path: Some(svid_path.to_owned()) })
            }
        }
    }

    fn check_address(&self, chain: &ForeignChain, address: Option<IpAddr>) -> Result<(), AttestError> {
        if !self.verify_client_ip {
            return Ok(());
        }
        let address = address.map(|address| address.to_canonical());
        let is_named =
            address.is_some_and(|address| chain.ip_names().iter().any(|name| name.to_canonical() == address));
        if is_named {
            return Ok(());
        }
        let from = address.map_or_else(|| "a Unix socket".to_owned(), |address| address.to_string());
        let problem = format!("the certificate does not name the address that the agent calls from ({from})");
        Err(AttestError::Unproven { problem, source: None })
    }

    fn findings(&self, chain: &ForeignChain, trusted: &Trusted) -> Result<NodeFindings, AttestError> {
        let uri_sans = uri_sans(chain, &self.trust_domain);
        let facts = Facts {
            trust_domain: &self.trust_domain,
            chain,
            svid_path: trusted.svid_path.as_deref(),
            uri_sans: &uri_sans,
        };
        let path = self.template.fill(facts).map_err(|field| AttestError::Unproven {
            problem: format!("the certificate has no {field}, of which the agent's ID is made"),
            source: None,
        })?;
        let id = SpiffeId::new(&self.trust_domain, &format!("/spire/agent/{path}"));
        let id = id.map_err(|error| AttestError::Unproven {
            problem: format!("what the certificate says makes no agent ID: {error}"),
            source: None,
        })?;
        Ok(NodeFindings { id, selectors: selectors(chain, trusted, &uri_sans), can_reattest: true })
    }
}

#[async_trait]
impl NodeAttestor for X509PopAttestor {
    fn kind(&self) -> &str {
        KIND
    }

    /// What costs little is refused first: sizes, then the chain, then whoever does not hold the key.
    async fn attest(
        &self,
        payload: &[u8],
        address: Option<IpAddr>,
        dialogue: &mut dyn Dialogue,
    ) -> Result<NodeFindings, AttestError> {
        let chain = self.read(payload)?;
        let trusted = self.trusted(&chain, self.clock.now()).await?;
        self.check_address(&chain, address)?;
        let examination = Examination::of(chain.public_key())?;
        let response = dialogue.challenge(message::write(&examination.challenge())).await?;
        examination.judge(&message::read("response", &response)?)?;
        self.findings(&chain, &trusted)
    }
}

fn selectors(chain: &ForeignChain, trusted: &Trusted, uri_sans: &BTreeMap<String, String>) -> SelectorSet {
    let common_name = chain.common_name().map(|name| format!("subject:cn:{name}"));
    let authorities = trusted.path.iter().map(|fingerprint| format!("ca:fingerprint:{fingerprint}"));
    let serial_number = format!("serialnumber:{}", chain.serial_number_hex());
    let names = uri_sans.iter().map(|(key, value)| format!("san:{key}:{value}"));
    let values = common_name.into_iter().chain(authorities).chain([serial_number]).chain(names);
    // A type without a colon and a value that is not empty: each is a selector.
    values.filter_map(|value| Selector::new(KIND, value).ok()).collect()
}

/// What the leaf says of itself as `x509pop://<trust domain>/<key>/<value>`; of a key that is there twice, the last.
fn uri_sans(chain: &ForeignChain, trust_domain: &TrustDomain) -> BTreeMap<String, String> {
    let prefix = format!("{KIND}://{}/", trust_domain.name());
    let of_this_domain = chain.uri_names().iter().filter_map(|uri| uri.strip_prefix(&prefix));
    let pairs = of_this_domain.filter_map(|path| {
        // An escape, a query or a fragment: readers would differ in what the value is.
        let is_plain = !path.contains(['%', '?', '#']);
        let (key, value) = path.trim_matches('/').split_once('/')?;
        is_plain.then(|| (key.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

fn evidence(problem: String) -> AttestError {
    AttestError::Evidence { problem }
}

fn unproven(source: impl std::error::Error + Send + Sync + 'static) -> AttestError {
    let problem = "certificate verification failed".to_owned();
    AttestError::Unproven { problem, source: Some(Box::new(source)) }
}

fn setting(key: &'static str, remedy: &'static str) -> AttestError {
    AttestError::Setting { kind: KIND, key, remedy }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

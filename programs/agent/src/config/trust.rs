//! What the server is verified against at first contact, and whether that is asked again later.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use finial_identity::Bundle;
use finial_receive::Endpoint;
use tonic::codegen::http::Uri;

/// What the server is verified against at first contact. Later the agent trusts the bundle that its server gave it.
#[derive(Clone, Debug, Default)]
pub enum TrustBundle {
    /// Nothing: the agent can start only with the bundle and SVID that it stored before.
    #[default]
    NotGiven,
    /// A file, in the format that [`Config::trust_bundle_format`](crate::Config::trust_bundle_format) names.
    File(PathBuf),
    /// The bundle itself.
    Given(Bundle),
    /// A document that a web server publishes, or a program on this machine, in that format.
    Url(BundleUrl),
    /// The bundle of the trust domain, as another agent's Workload API gives it to this process.
    WorkloadApi(Endpoint),
    /// Whatever the first server says that answers: trust on first use. Whoever stands between agent and server at
    /// that moment becomes the server. For experiments.
    Insecure,
}

/// How a bundle is written in a file or at a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BundleFormat {
    /// PEM certificates.
    #[default]
    Pem,
    /// The JSON form of the SPIFFE Trust Domain and Bundle specification.
    Spiffe,
}

/// Where a bundle is published: an https URL, or an http URL that is asked over a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleUrl {
    uri: Uri,
    socket: Option<PathBuf>,
}

/// Why a bundle cannot be asked for at a URL. SPIRE's words where it has any.
#[derive(Debug, thiserror::Error)]
pub enum BundleUrlError {
    /// Anybody on the way could answer.
    #[error("trust bundle URL must start with https://: `{0}`")]
    NotHttps(String),
    /// On a socket there is nobody to hide from, and no name to verify.
    #[error("trust bundle URL must start with http:// when trust_bundle_unix_socket is given: `{0}`")]
    NotHttp(String),
    /// It is no URL, or has no host.
    #[error("trust bundle URL `{0}` is no URL of a host")]
    Malformed(String),
    /// These keys say who asks, and on which occasion.
    #[error("trust bundle URL query parameters can not start with spiffe- or spire-, as `{0}` does")]
    Reserved(String),
}

/// Whether the bundle is asked for again when no server can be verified any more, as after an absence in which the
/// server's authorities were replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RebootstrapMode {
    /// No: an operator has to act.
    #[default]
    Never,
    /// Yes. An agent that can then not prove who it is ends, with the command that brings it back.
    Auto,
    /// As `Auto`, and the agent does not start unless it can attest again by itself.
    Always,
}

/// Why the bundle cannot be asked for again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RebootstrapError {
    #[error("there is nothing to ask for the bundle again: add trust_bundle_path or trust_bundle_url")]
    NoSource,
    #[error(
        "rebootstrapping does not go with insecure_bootstrap, which would trust a stranger again each time: give \
         trust_bundle_path or trust_bundle_url"
    )]
    Insecure,
}

/// How long no server was verified before the bundle is asked for again, as in SPIRE.
pub(crate) const REBOOTSTRAP_DELAY: Duration = Duration::from_secs(600);

impl BundleUrl {
    /// Accepts `https://…`; with a socket `http://…`, whose host is sent but not looked up.
    ///
    /// # Errors
    /// By the rule that the URL breaks.
    pub fn parse(url: &str, socket: Option<PathBuf>) -> Result<Self, BundleUrlError> {
        match &socket {
            None if !url.starts_with("https://") => return Err(BundleUrlError::NotHttps(url.to_owned())),
            Some(_) if !url.starts_with("http://") => return Err(BundleUrlError::NotHttp(url.to_owned())),
            _ => {}
        }
        let uri: Uri = url.parse().map_err(|_| BundleUrlError::Malformed(url.to_owned()))?;
        if uri.host().is_none_or(str::is_empty) || uri.authority().is_some_and(|it| it.as_str().contains('@'))
        {
            return Err(BundleUrlError::Malformed(url.to_owned()));
        }
        let keys = uri.query().into_iter().flat_map(|query| query.split('&'));
        let keys = keys.map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key));
        if let Some(key) =
            keys.into_iter().find(|key| key.starts_with("spiffe-") || key.starts_with("spire-"))
        {
            return Err(BundleUrlError::Reserved(key.to_owned()));
        }
        Ok(Self { uri, socket })
    }

    /// The URL, which has a host.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The socket to ask over instead of the network.
    pub fn socket(&self) -> Option<&PathBuf> {
        self.socket.as_ref()
    }
}

/// SPIRE's names.
impl FromStr for BundleFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pem" => Ok(Self::Pem),
            "spiffe" => Ok(Self::Spiffe),
            other => Err(format!("unknown bundle format `{other}`: use pem or spiffe")),
        }
    }
}

/// SPIRE's names.
impl FromStr for RebootstrapMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Never),
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            other => Err(format!("unknown rebootstrap mode `{other}`: use never, auto or always")),
        }
    }
}

//! `agent-data.json`: the agent's SVID and bundle on disk, in SPIRE's form, so that an agent survives a restart, and
//! may take over from SPIRE's.

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use finial_daemon::file::{self, Generation};
use finial_identity::{Bundle, BundleError, TrustDomain, X509Error, X509Svid};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const FILE: &str = "agent-data.json";
/// What SPIRE's agent wrote before it wrote that.
const EARLIER_FILES: [&str; 2] = ["agent_svid.der", "bundle.der"];
/// For its owner alone: the file says which node this is.
const MODE: u32 = 0o600;
const END_OF_CERTIFICATE: &str = "-----END CERTIFICATE-----\n";

/// Where an agent keeps its own identity, without the keys.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    path: PathBuf,
    trust_domain: TrustDomain,
}

/// What is kept. The private key belongs to a key manager.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) svid: Option<X509Svid>,
    /// X.509 authorities only, as in SPIRE.
    pub(crate) bundle: Option<Bundle>,
    pub(crate) can_reattest: bool,
    /// Keys of SPIRE's that this program does not use, kept as they are.
    others: Map<String, Value>,
}

/// Why a stored identity cannot be read.
#[derive(Debug, thiserror::Error)]
enum StorageError {
    #[error("it is no JSON of the form of agent-data.json")]
    Json(#[source] serde_json::Error),
    #[error("`{0}` holds text that is no base64")]
    Base64(&'static str, #[source] base64::DecodeError),
    #[error("`svid` holds no X509-SVID")]
    Svid(#[source] X509Error),
    #[error("`bundle` holds no certificates")]
    Bundle(#[source] BundleError),
}

/// The file as it is written: each certificate is PEM text in base64.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    svid: Option<Vec<String>>,
    #[serde(default)]
    bundle: Option<Vec<String>>,
    #[serde(default)]
    reattestable: bool,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Storage {
    /// The storage of an agent of `trust_domain` in a folder that exists.
    pub(crate) fn new(data_dir: &Path, trust_domain: TrustDomain) -> Self {
        Self { path: data_dir.join(FILE), trust_domain }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was kept; nothing when there is no file. Falls back to the generation before a damaged file, and repairs it.
    pub(crate) fn load(&self) -> io::Result<Stored> {
        let parse = |bytes: &[u8]| Stored::parse(bytes, &self.trust_domain);
        let Some((stored, generation)) = file::read_or_previous(&self.path, parse)? else {
            self.note_earlier_files();
            return Ok(Stored::default());
        };
        if let Generation::Previous(error) = generation {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(
                error,
                "the stored identity is damaged; the one before it is used and put in its place"
            );
            file::write(&self.path, &stored.to_bytes(), MODE)?;
        }
        Ok(stored)
    }

    /// A SPIRE agent of before `agent-data.json` is not taken over. Its files stay where they are.
    fn note_earlier_files(&self) {
        for path in
            EARLIER_FILES.map(|name| self.path.with_file_name(name)).iter().filter(|path| path.exists())
        {
            tracing::warn!(
                "{} is of an early SPIRE agent and is not read: this agent attests anew",
                path.display()
            );
        }
    }

    /// Keeps it; what was kept before stays beside it as the previous generation.
    pub(crate) async fn save(&self, stored: &Stored) -> io::Result<()> {
        let (path, bytes) = (self.path.clone(), stored.to_bytes());
        let written =
            tokio::task::spawn_blocking(move || file::write_keeping_previous(path, &bytes, MODE)).await;
        written.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
    }
}

impl Stored {
    fn parse(bytes: &[u8], trust_domain: &TrustDomain) -> Result<Self, StorageError> {
        let document: Document = serde_json::from_slice(bytes).map_err(StorageError::Json)?;
        let svid = pem("svid", document.svid)?;
        let svid = svid.map(|text| X509Svid::parse_pem(&text)).transpose().map_err(StorageError::Svid)?;
        let bundle = pem("bundle", document.bundle)?;
        let bundle = bundle.map(|text| Bundle::parse_pem(trust_domain.clone(), &text)).transpose();
        Ok(Self {
            svid,
            bundle: bundle.map_err(StorageError::Bundle)?,
            can_reattest: document.reattestable,
            others: document.others,
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let document = Document {
            svid: self.svid.as_ref().map(|svid| encode(&svid.to_pem())),
            bundle: self.bundle.as_ref().map(|bundle| encode(&bundle.to_pem())),
            reattestable: self.can_reattest,
            others: self.others.clone(),
        };
        // Maps with text keys and lists of texts: there is nothing that could not be written.
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

/// Reads the bytes of an `agent-data.json` and writes them again; `None` when they are none. For tests of other crates.
#[cfg(feature = "testing")]
pub fn rewritten_agent_data(bytes: &[u8], trust_domain: &TrustDomain) -> Option<Vec<u8>> {
    Stored::parse(bytes, trust_domain).ok().map(|stored| stored.to_bytes())
}

/// The PEM text of a list of certificates; `None` when the list is absent or empty.
fn pem(field: &'static str, list: Option<Vec<String>>) -> Result<Option<Vec<u8>>, StorageError> {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(None) };
    let mut text = Vec::new();
    for item in list {
        text.extend(BASE64_STANDARD.decode(item).map_err(|error| StorageError::Base64(field, error))?);
        text.push(b'\n');
    }
    Ok(Some(text))
}

fn encode(pem: &str) -> Vec<String> {
    pem.split_inclusive(END_OF_CERTIFICATE).map(|certificate| BASE64_STANDARD.encode(certificate)).collect()
}

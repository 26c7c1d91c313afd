//! The schema of x509-limbo: cases of path validation, with what is expected of each.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::pem;

/// A corpus.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
pub struct Limbo {
    /// Of the schema: 1.
    pub version: u32,
    /// The cases.
    pub testcases: Vec<Case>,
}

/// A chain, the anchors it is held against, and what is expected.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Case {
    /// `group::name`.
    pub id: String,
    /// Cases that no one verifier decides as both expect.
    pub conflicts_with: Vec<String>,
    /// Words for what a verifier must be able to do.
    pub features: Vec<String>,
    /// `low`, `medium` or `high`.
    pub importance: String,
    /// What is odd, and where it is written what follows.
    pub description: String,
    /// Which part the presenter of the leaf plays.
    pub validation_kind: Kind,
    /// The anchors, in PEM.
    pub trusted_certs: Vec<String>,
    /// What is presented beside the leaf, in PEM.
    pub untrusted_intermediates: Vec<String>,
    /// The leaf, in PEM.
    pub peer_certificate: String,
    /// The leaf's private key, in PEM, where the corpus has it.
    pub peer_certificate_key: Option<String>,
    /// When, as RFC 3339 writes it; any time will do when there is none.
    pub validation_time: Option<String>,
    /// The algorithms a verifier is confined to; none are confined here.
    pub signature_algorithms: Vec<String>,
    /// The key usages a verifier asks for.
    pub key_usage: Vec<String>,
    /// The extended key usages a verifier asks for.
    pub extended_key_usage: Vec<String>,
    /// What is right.
    pub expected_result: Verdict,
    /// Whom a server's leaf is for.
    pub expected_peer_name: Option<PeerName>,
    /// Whom a client's leaf is for.
    pub expected_peer_names: Vec<PeerName>,
    /// How many authorities may stand between leaf and anchor.
    pub max_chain_depth: Option<u32>,
    /// Lists of revoked certificates, in PEM.
    pub crls: Vec<String>,
}

/// Who presents the leaf.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// The client of a TLS connection.
    Client,
    /// Its server.
    Server,
}

/// What a verifier says of a chain, or should say.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub enum Verdict {
    /// It is accepted.
    #[serde(rename = "SUCCESS")]
    Accepts,
    /// It is refused.
    #[serde(rename = "FAILURE")]
    Refuses,
}

/// A name in a leaf.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct PeerName {
    /// `DNS`, `IP` or `RFC822`; `URI` in the corpus of SPIFFE, an addition of ours.
    pub kind: String,
    /// The name.
    pub value: String,
}

impl Limbo {
    /// Reads a corpus.
    ///
    /// # Errors
    /// When there is none, or it has another schema.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no corpus", path.display()))
    }

    /// As it is stored: readable, and the same each time.
    ///
    /// # Errors
    /// None that is known.
    pub fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Every certificate in it, in DER.
    ///
    /// # Errors
    /// When one is no PEM.
    pub(crate) fn certificates(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let of_case = |case: &'_ Case| {
            let others = case.trusted_certs.iter().chain(&case.untrusted_intermediates).cloned();
            others.chain([case.peer_certificate.clone()]).collect::<Vec<_>>()
        };
        let texts = self.testcases.iter().flat_map(of_case);
        texts.map(|text| pem::certificate(&text).map(|certificate| certificate.to_vec())).collect()
    }
}

impl Case {
    /// The time of the verdict, in seconds since 1970. Any time is 2026-06-15.
    ///
    /// # Errors
    /// When it is no time.
    pub fn at(&self) -> anyhow::Result<u64> {
        let Some(text) = &self.validation_time else { return Ok(1_781_481_600) };
        let at: jiff::Timestamp = text.parse().with_context(|| format!("`{text}` is no time"))?;
        u64::try_from(at.as_second()).with_context(|| format!("`{text}` is before 1970"))
    }
}

//! `agent_path_template`: how an agent's SPIFFE ID is made of its certificate.
//!
//! Of Go's text/template only fields are served: no functions, pipes or conditions.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::str::FromStr;

use finial_identity::{ForeignChain, TrustDomain};

use super::KIND;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// A path below `/spire/agent`, such as `/x509pop/{{ .Fingerprint }}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509PopPathTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    PluginName,
    TrustDomain,
    Fingerprint,
    CommonName,
    SerialNumber,
    SvidPath,
    UriSan(String),
}

/// What a template is filled with.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) trust_domain: &'a TrustDomain,
    pub(super) chain: &'a ForeignChain,
    /// The path of an SVID behind its prefix; none in the mode `external_pki`.
    pub(super) svid_path: Option<&'a str>,
    pub(super) uri_sans: &'a BTreeMap<String, String>,
}

/// Why a text is no template that this version serves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathTemplateError {
    /// An action has no end.
    #[error("the action that begins at byte {at} has no }}}}")]
    Unclosed {
        /// Where.
        at: usize,
    },
    /// An action is more than a field, or the field is not known.
    #[error(
        "`{action}` is not served by this version: use .PluginName, .Fingerprint, .TrustDomain, .Subject.CommonName, .SerialNumberHex, .SVIDPathTrimmed or .URISanSelectors.<key>"
    )]
    Action {
        /// What stands between the braces.
        action: String,
    },
    /// What comes of it could be the path of another attestor's agent.
    #[error(
        "a path must begin with `{{{{ .PluginName }}}}/`, so that each agent stays below /spire/agent/{KIND}"
    )]
    Elsewhere,
}

impl X509PopPathTemplate {
    /// SPIRE's for certificates of another PKI: the fingerprint.
    pub(super) fn of_fingerprint() -> Self {
        Self::below_plugin(Field::Fingerprint)
    }

    /// SPIRE's for SVIDs: their path behind the prefix.
    pub(super) fn of_svid_path() -> Self {
        Self::below_plugin(Field::SvidPath)
    }

    fn below_plugin(field: Field) -> Self {
        Self { parts: vec![Part::Field(Field::PluginName), Part::Text("/".to_owned()), Part::Field(field)] }
    }

    /// Whether it needs a path that only an SVID has.
    pub(super) fn needs_svid(&self) -> bool {
        self.parts.contains(&Part::Field(Field::SvidPath))
    }

    /// The path below `/spire/agent/`, or the field that the certificate does not have.
    pub(super) fn fill(&self, facts: Facts<'_>) -> Result<String, String> {
        let mut path = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Field(field) => path.push_str(&field.value(facts).ok_or_else(|| field.name())?),
            }
        }
        Ok(path)
    }

    /// Whether its beginning is the plugin's own folder, whatever the certificate says.
    fn stays_below_plugin(&self) -> bool {
        let mut beginning = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => beginning.push_str(text),
                Part::Field(Field::PluginName) => beginning.push_str(KIND),
                Part::Field(_) => break,
            }
        }
        beginning.strip_prefix(KIND).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl Field {
    fn parse(action: &str) -> Option<Self> {
        match action.trim() {
            ".PluginName" => Some(Self::PluginName),
            ".TrustDomain" => Some(Self::TrustDomain),
            ".Fingerprint" => Some(Self::Fingerprint),
            ".Subject.CommonName" => Some(Self::CommonName),
            ".SerialNumberHex" => Some(Self::SerialNumber),
            ".SVIDPathTrimmed" => Some(Self::SvidPath),
            other => {
                let key = other.strip_prefix(".URISanSelectors.")?;
                let is_name = key.chars().all(|c| c == '_' || c.is_alphanumeric()) && !key.is_empty();
                is_name.then(|| Self::UriSan(key.to_owned()))
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::PluginName => ".PluginName".to_owned(),
            Self::TrustDomain => ".TrustDomain".to_owned(),
            Self::Fingerprint => ".Fingerprint".to_owned(),
            Self::CommonName => ".Subject.CommonName".to_owned(),
            Self::SerialNumber => ".SerialNumberHex".to_owned(),
            Self::SvidPath => ".SVIDPathTrimmed".to_owned(),
            Self::UriSan(key) => format!(".URISanSelectors.{key}"),
        }
    }

    fn value(&self, facts: Facts<'_>) -> Option<String> {
        match self {
            Self::PluginName => Some(KIND.to_owned()),
            Self::TrustDomain => Some(facts.trust_domain.name().to_owned()),
            Self::Fingerprint => Some(facts.chain.fingerprint()),
            Self::CommonName => facts.chain.common_name().map(str::to_owned),
            Self::SerialNumber => Some(facts.chain.serial_number_hex()),
            Self::SvidPath => facts.svid_path.map(str::to_owned),
            Self::UriSan(key) => facts.uri_sans.get(key).cloned(),
        }
    }
}

impl FromStr for X509PopPathTemplate {
    type Err = PathTemplateError;

    /// A slash in front may be left out, as SPIRE's documentation does.
    fn from_str(text: &str) -> Result<Self, PathTemplateError> {
        let mut rest = text.strip_prefix('/').unwrap_or(text);
        let mut parts = Vec::new();
        while let Some((before, action)) = rest.split_once(OPEN) {
            let at = text.len() - action.len() - OPEN.len();
            let (action, after) = action.split_once(CLOSE).ok_or(PathTemplateError::Unclosed { at })?;
            let field = Field::parse(action);
            let unserved = || PathTemplateError::Action { action: action.trim().to_owned() };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Field(field.ok_or_else(unserved)?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let template = Self { parts };
        if template.stays_below_plugin() { Ok(template) } else { Err(PathTemplateError::Elsewhere) }
    }
}

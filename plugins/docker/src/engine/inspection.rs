//! What is read of an engine's answer about a container, and the selectors it comes to.

use std::collections::BTreeMap;

use finial_identity::Selector;
use serde::Deserialize;

use crate::attestor::KIND;

/// The answer to `GET /containers/{id}/json`, as far as it is needed. Labels and variables are no matter for logs.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspection {
    pub(super) id: String,
    /// The digest of the image that the container was made from, whatever its name leads to by now.
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    config: Option<Config>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    env: Option<Vec<String>>,
}

impl Inspection {
    /// `label:<name>:<value>`, `env:<NAME>=<value>`, `image_id:<name of the image>`, `image_config_digest:sha256:…`.
    pub(crate) fn selectors(&self) -> Vec<Selector> {
        let mut values = Vec::new();
        if let Some(config) = &self.config {
            let labels = config.labels.iter().flatten();
            values.extend(labels.map(|(name, value)| format!("label:{name}:{value}")));
            values.extend(config.env.iter().flatten().map(|variable| format!("env:{variable}")));
            let image = config.image.iter().filter(|image| !image.is_empty());
            values.extend(image.map(|image| format!("image_id:{image}")));
        }
        values.extend(
            self.image.as_deref().and_then(digest).map(|digest| format!("image_config_digest:{digest}")),
        );
        // Has a type and, with the name, a value: never refused.
        values.into_iter().filter_map(|value| Selector::new(KIND, value).ok()).collect()
    }
}

/// A digest with its algorithm, which Podman may leave out.
fn digest(image: &str) -> Option<String> {
    let hex = image.strip_prefix("sha256:").unwrap_or(image);
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| format!("sha256:{hex}"))
}

//! The block `telemetry { }`: who is told the metrics, and which. The names are SPIRE's.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::hcl::{Block, HclError, Key, KeyState};

/// Who is told the metrics, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// Where Prometheus may ask; nowhere.
    pub prometheus: Option<PrometheusConfig>,
    /// Stands before every name; the program's name.
    pub metric_prefix: Option<String>,
    /// Whether every line has the label `trust_domain`; off.
    pub trust_domain_label: bool,
    /// Whether every line has the label `host`; on.
    pub hostname_label: bool,
    /// Prefixes of names, with dots, that are told even if a shorter prefix of theirs is blocked; none.
    pub allowed_prefixes: Vec<String>,
    /// Prefixes of names, with dots, that are not told; none.
    pub blocked_prefixes: Vec<String>,
    /// The only labels that are told; all, when empty.
    pub allowed_labels: Vec<String>,
    /// Labels that are not told; none.
    pub blocked_labels: Vec<String>,
}

/// Where Prometheus may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusConfig {
    /// A name or an address; `localhost`.
    pub host: String,
    /// With 0 the operating system chooses.
    pub port: u16,
    /// Plain HTTP when none.
    pub tls: Option<PrometheusTls>,
}

/// How Prometheus is answered by HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrometheusTls {
    /// With a certificate in PEM files.
    Files {
        /// The certificate, and those above it.
        cert_file: PathBuf,
        /// Its key.
        key_file: PathBuf,
        /// Who must have issued the certificate of whoever asks; nobody need show one when none.
        client_ca_file: Option<PathBuf>,
    },
    /// With the program's own SVID, for those who show one of these SPIFFE IDs.
    Svid {
        /// As they are in the file.
        authorized: Vec<String>,
    },
}

/// The keys of the block. The default of the prefix is the program's.
pub const fn keys(metric_prefix: &'static str) -> [Key; 25] {
    [
        Key::works("telemetry", ""),
        Key::works("telemetry.AllowedLabels", "[]"),
        Key::works("telemetry.AllowedPrefixes", "[]"),
        Key::works("telemetry.BlockedLabels", "[]"),
        Key::works("telemetry.BlockedPrefixes", "[]"),
        Key::not_yet("telemetry.DogStatsd", ""),
        Key::not_yet("telemetry.DogStatsd.address", ""),
        Key::works("telemetry.EnableHostnameLabel", "true"),
        Key::works("telemetry.EnableTrustDomainLabel", "false"),
        Key::new("telemetry.InMem", "", KeyState::Differs("it is dumped nowhere")),
        Key::not_yet("telemetry.M3", ""),
        Key::not_yet("telemetry.M3.address", ""),
        Key::not_yet("telemetry.M3.env", ""),
        Key::works("telemetry.MetricPrefix", metric_prefix),
        Key::works("telemetry.Prometheus", ""),
        Key::works("telemetry.Prometheus.host", "localhost"),
        Key::works("telemetry.Prometheus.port", ""),
        Key::works("telemetry.Prometheus.tls", ""),
        Key::works("telemetry.Prometheus.tls.authorized_spiffe_ids", "[]"),
        Key::works("telemetry.Prometheus.tls.cert_file", ""),
        Key::works("telemetry.Prometheus.tls.client_ca_file", ""),
        Key::works("telemetry.Prometheus.tls.key_file", ""),
        Key::works("telemetry.Prometheus.tls.use_spire_svid", "false"),
        Key::not_yet("telemetry.Statsd", ""),
        Key::not_yet("telemetry.Statsd.address", ""),
    ]
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            prometheus: None,
            metric_prefix: None,
            trust_domain_label: false,
            hostname_label: true,
            allowed_prefixes: Vec::new(),
            blocked_prefixes: Vec::new(),
            allowed_labels: Vec::new(),
            blocked_labels: Vec::new(),
        }
    }
}

impl TelemetryConfig {
    /// Takes the block `telemetry { }` of a configuration; the defaults without one. `check_id` says what is wrong with a
    /// SPIFFE ID.
    ///
    /// # Errors
    /// By line and column: what is unknown, and what is not supported yet.
    pub fn take(top: &mut Block, check_id: fn(&str) -> Result<(), String>) -> Result<Self, HclError> {
        let Some(mut block) = top.take_block("telemetry")? else { return Ok(Self::default()) };
        for sink in ["Statsd", "DogStatsd", "M3"] {
            if let Some(found) = block.take_blocks(sink)?.first() {
                return Err(found.error(&format!("telemetry: {sink} is not supported yet: use Prometheus")));
            }
        }
        if let Some(memory) = block.take_block("InMem")? {
            memory.finish()?;
        }
        let prometheus = match block.take_block("Prometheus")? {
            Some(prometheus) => Some(PrometheusConfig::read(prometheus, check_id)?),
            None => None,
        };
        let metric_prefix = block.take::<String>("MetricPrefix")?.filter(|prefix| !prefix.is_empty());
        let config = Self {
            prometheus,
            metric_prefix,
            trust_domain_label: block.take("EnableTrustDomainLabel")?.unwrap_or(false),
            hostname_label: block.take("EnableHostnameLabel")?.unwrap_or(true),
            allowed_prefixes: block.take("AllowedPrefixes")?.unwrap_or_default(),
            blocked_prefixes: block.take("BlockedPrefixes")?.unwrap_or_default(),
            allowed_labels: block.take("AllowedLabels")?.unwrap_or_default(),
            blocked_labels: block.take("BlockedLabels")?.unwrap_or_default(),
        };
        block.finish()?;
        Ok(config)
    }
}

impl PrometheusConfig {
    fn read(mut block: Block, check_id: fn(&str) -> Result<(), String>) -> Result<Self, HclError> {
        let host = block.take::<String>("host")?.filter(|host| !host.is_empty());
        let port = block.take("port")?;
        let tls = match block.take_block("tls")? {
            Some(tls) => Some(PrometheusTls::read(tls, check_id)?),
            None => None,
        };
        let port = port.ok_or_else(|| {
            block.error("Prometheus has no port: set the one that it asks on, such as 9988")
        })?;
        block.finish()?;
        Ok(Self { host: host.unwrap_or_else(|| "localhost".to_owned()), port, tls })
    }
}

impl PrometheusTls {
    fn read(mut block: Block, check_id: fn(&str) -> Result<(), String>) -> Result<Self, HclError> {
        let (cert_file, key_file) = (block.take("cert_file")?, block.take("key_file")?);
        let client_ca_file = block.take("client_ca_file")?;
        let by_svid = block.take("use_spire_svid")?.unwrap_or(false);
        let authorized: Vec<String> = block.take("authorized_spiffe_ids")?.unwrap_or_default();
        for id in &authorized {
            check_id(id).map_err(|problem| block.error_at("authorized_spiffe_ids", &problem))?;
        }
        let tls = match (by_svid, cert_file, key_file) {
            (true, None, None) if client_ca_file.is_none() && !authorized.is_empty() => {
                Self::Svid { authorized }
            }
            (true, None, None) if client_ca_file.is_none() => {
                return Err(block.error("tls has no authorized_spiffe_ids: name who may read the metrics"));
            }
            (true, ..) => {
                return Err(
                    block.error_at("use_spire_svid", "use_spire_svid excludes files: keep one of the two")
                );
            }
            (false, Some(cert_file), Some(key_file)) if authorized.is_empty() => {
                Self::Files { cert_file, key_file, client_ca_file }
            }
            (false, Some(_), Some(_)) => {
                let problem =
                    "authorized_spiffe_ids needs use_spire_svid = true: certificates of files are no SVIDs";
                return Err(block.error_at("authorized_spiffe_ids", problem));
            }
            (false, ..) => {
                return Err(block.error("tls needs cert_file and key_file, or use_spire_svid = true"));
            }
        };
        block.finish()?;
        Ok(tls)
    }
}

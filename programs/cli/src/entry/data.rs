//! `-data FILE`: entries in JSON, with the fields of SPIRE's `common.RegistrationEntry`.

#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use finial_identity::{EntryDraft, EntryId, Selector, SpiffeId, TrustDomain};
use serde::Deserialize;

use super::fields::check_served;

/// The largest file, in bytes: some 100,000 entries.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    entries: Vec<Record>,
}

/// An entry as the file has it. What nobody acts on is refused, not passed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(default)]
    entry_id: String,
    spiffe_id: String,
    parent_id: String,
    selectors: Vec<SelectorRecord>,
    #[serde(default)]
    x509_svid_ttl: u64,
    #[serde(default)]
    jwt_svid_ttl: u64,
    #[serde(default)]
    federates_with: Vec<String>,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    downstream: bool,
    #[serde(default)]
    store_svid: bool,
    #[serde(default, rename = "entryExpiry", alias = "entry_expiry")]
    entry_expiry: u64,
    #[serde(default)]
    dns_names: Vec<String>,
    #[serde(default)]
    hint: String,
    #[serde(default)]
    additional_attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectorRecord {
    r#type: String,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attributes {
    #[serde(default)]
    disable_x509_svid_prefetch: bool,
    #[serde(default)]
    jwt_svid_include_jti: bool,
}

/// The entries of a file, or of standard input when it is called `-`, with the IDs that they are to have.
pub(super) fn read(file: &Path) -> Result<Vec<(Option<EntryId>, EntryDraft)>> {
    parse(&content(file).with_context(|| format!("-data {}", file.display()))?)
        .with_context(|| format!("-data {}", file.display()))
}

fn content(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    }
    ensure!(bytes.len() as u64 <= MAX_BYTES, "it has more than {MAX_BYTES} bytes: split it");
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Vec<(Option<EntryId>, EntryDraft)>> {
    let document: Document = serde_json::from_slice(bytes)?;
    if document.entries.is_empty() {
        bail!("it has no entries");
    }
    let entry = |(index, record): (usize, Record)| {
        record.entry().with_context(|| format!("entry {} of the file", index + 1))
    };
    document.entries.into_iter().enumerate().map(entry).collect()
}

impl Record {
    fn entry(self) -> Result<(Option<EntryId>, EntryDraft)> {
        let id = (!self.entry_id.is_empty()).then(|| EntryId::new(self.entry_id)).transpose()?;
        let spiffe_id =
            |field: &str, text: &str| SpiffeId::parse(text).with_context(|| format!("{field} {text:?}"));
        let selectors = self.selectors.into_iter().map(|it| Selector::new(it.r#type, it.value));
        let domains = self.federates_with.iter().map(|text| TrustDomain::from_name_or_id(text));
        let ttl = |seconds| (seconds > 0).then(|| Duration::from_secs(seconds));
        let expires_at = ttl(self.entry_expiry)
            .map(|since| SystemTime::UNIX_EPOCH.checked_add(since).context("entryExpiry is too far away"));
        let selectors = selectors.collect::<Result<_, _>>().context("selectors")?;
        let ids = (spiffe_id("spiffe_id", &self.spiffe_id)?, spiffe_id("parent_id", &self.parent_id)?);
        let draft = EntryDraft {
            x509_svid_ttl: ttl(self.x509_svid_ttl),
            jwt_svid_ttl: ttl(self.jwt_svid_ttl),
            federates_with: domains.collect::<Result<_, _>>().context("federates_with")?,
            admin: self.admin,
            downstream: self.downstream,
            store_svid: self.store_svid,
            expires_at: expires_at.transpose()?,
            dns_names: self.dns_names,
            hint: self.hint,
            x509_svid_prefetch_disabled: self.additional_attributes.disable_x509_svid_prefetch,
            jwt_svid_includes_jti: self.additional_attributes.jwt_svid_include_jti,
            ..EntryDraft::new(ids.0, ids.1, selectors)
        };
        check_served(&draft)?;
        Ok((id, draft))
    }
}

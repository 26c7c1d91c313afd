//! Entries, their drafts, updates and filters.

mod parts;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use finial_identity::{Entry, EntryDraft, EntryId, TrustDomain};
use prost::Message;
use tonic::Status;

pub(crate) use self::parts::Revision;
use self::parts::{Malformed, Parts};
pub(crate) use super::id::LastId;
use super::{batch::at_most, filter, id as ids, time};
use crate::error::WireError;
use crate::proto::entry as proto;
use crate::proto::types;
use crate::{AdditionalAttributes, EntryFilter, EntryUpdate, MAX_LIST};

/// All fields of an entry: what a missing mask means.
pub(crate) const EVERYTHING: types::EntryMask = types::EntryMask {
    spiffe_id: true,
    parent_id: true,
    selectors: true,
    x509_svid_ttl: true,
    federates_with: true,
    admin: true,
    downstream: true,
    expires_at: true,
    dns_names: true,
    revision_number: true,
    store_svid: true,
    jwt_svid_ttl: true,
    hint: true,
    created_at: true,
    additional_attributes: true,
};

/// An entry ID that must be there.
pub(crate) fn id(text: &str) -> Result<EntryId, WireError> {
    if text.is_empty() {
        return Err(WireError::Missing("entry ID"));
    }
    EntryId::new(text).map_err(WireError::EntryId)
}

/// An entry to be made, and the ID it is to have, if it is to have a certain one; from the bytes of its message.
pub(crate) fn encoded_draft(
    bytes: &[u8],
    parent: &mut LastId,
) -> Result<(Option<EntryId>, EntryDraft), WireError> {
    let parts = Parts::decode(bytes).map_err(|Malformed| WireError::Malformed("entry"))?;
    let given = if parts.id.is_empty() { None } else { Some(id(parts.id)?) };
    Ok((given, content(&parts, parent)?))
}

/// An entry as a server tells of it. Its content is checked like that of a new one.
pub(crate) fn entry(entry: &types::Entry) -> Result<Entry, WireError> {
    checked(&Parts::of(entry), &mut LastId::default())
}

/// The same, from the bytes of its message.
pub(crate) fn encoded_entry(bytes: &[u8], parent: &mut LastId) -> Result<Entry, WireError> {
    let parts = Parts::decode(bytes).map_err(|Malformed| WireError::Malformed("entry"))?;
    checked(&parts, parent)
}

/// A revision, from the bytes of its message.
pub(crate) fn encoded_revision(bytes: &[u8]) -> Result<Revision<'_>, WireError> {
    let revision = Revision::decode(bytes).map_err(|Malformed| WireError::Malformed("entry revision"))?;
    EntryId::check(revision.id).map_err(WireError::EntryId)?;
    Ok(revision)
}

/// The entries, with the fields of the mask, each as the bytes of its message.
pub(crate) fn encode_entries<'a>(
    entries: impl ExactSizeIterator<Item = &'a Arc<Entry>>,
    mask: Option<types::EntryMask>,
) -> Vec<Bytes> {
    let mask = mask.unwrap_or(EVERYTHING);
    encoded(entries, 256, |entry, buffer| parts::encode(entry, mask, buffer))
}

/// What tells an agent whether the entries it holds are these, each as the bytes of its message.
pub(crate) fn encode_revisions<'a>(entries: impl ExactSizeIterator<Item = &'a Arc<Entry>>) -> Vec<Bytes> {
    encoded(entries, 64, parts::encode_revision)
}

/// The bytes of each, in one allocation for all, if they are no longer than `usual`.
fn encoded<'a>(
    entries: impl ExactSizeIterator<Item = &'a Arc<Entry>>,
    usual: usize,
    encode: impl Fn(&Entry, &mut BytesMut),
) -> Vec<Bytes> {
    let mut buffer = BytesMut::with_capacity(entries.len() * usual);
    let encode = |entry: &Arc<Entry>| {
        encode(entry, &mut buffer);
        buffer.split().freeze()
    };
    entries.map(encode).collect()
}

fn checked(entry: &Parts<'_>, parent: &mut LastId) -> Result<Entry, WireError> {
    let given = id(entry.id)?;
    let created_at = time::instant("entry's created_at", entry.created_at)?;
    let draft = content(entry, parent)?;
    let trust_domain = draft.spiffe_id.trust_domain();
    let mut checked = Entry::new(draft, given, &trust_domain, created_at).map_err(WireError::Entry)?;
    checked.revision_number = entry.revision_number;
    Ok(checked)
}

fn content(entry: &Parts<'_>, parent: &mut LastId) -> Result<EntryDraft, WireError> {
    Ok(EntryDraft {
        spiffe_id: ids::spiffe_id_of("entry's spiffe_id", entry.spiffe_id)?,
        parent_id: parent.or_next("entry's parent_id", entry.parent_id)?,
        selectors: ids::selectors_of(&entry.selectors)?,
        x509_svid_ttl: time::ttl("x509_svid_ttl", entry.x509_svid_ttl)?,
        jwt_svid_ttl: time::ttl("jwt_svid_ttl", entry.jwt_svid_ttl)?,
        federates_with: federates_with(&entry.federates_with)?,
        admin: entry.admin,
        downstream: entry.downstream,
        store_svid: entry.store_svid,
        expires_at: time::optional_instant("entry's expires_at", entry.expires_at)?,
        dns_names: dns_names(&entry.dns_names)?,
        hint: entry.hint.to_owned(),
        x509_svid_prefetch_disabled: entry.x509_svid_prefetch_disabled,
        jwt_svid_includes_jti: entry.jwt_svid_includes_jti,
    })
}

fn federates_with(names: &[impl AsRef<str>]) -> Result<Vec<TrustDomain>, WireError> {
    at_most(MAX_LIST, "trust domains to federate with", names.len())?;
    names.iter().map(|name| ids::trust_domain("federates_with", name.as_ref())).collect()
}

fn dns_names(names: &[impl AsRef<str>]) -> Result<Vec<String>, WireError> {
    at_most(MAX_LIST, "dns names", names.len())?;
    Ok(names.iter().map(|name| name.as_ref().to_owned()).collect())
}

/// The entry, with the fields of the mask.
pub(crate) fn to_entry(entry: &Entry, mask: Option<types::EntryMask>) -> types::Entry {
    let mask = mask.unwrap_or(EVERYTHING);
    let names = || entry.federates_with.iter().map(TrustDomain::name).map(str::to_owned).collect();
    let attributes = AdditionalAttributes {
        x509_svid_prefetch_disabled: entry.x509_svid_prefetch_disabled,
        jwt_svid_includes_jti: entry.jwt_svid_includes_jti,
    };
    types::Entry {
        id: entry.id.as_str().to_owned(),
        spiffe_id: mask.spiffe_id.then(|| ids::to_spiffe_id(&entry.spiffe_id)),
        parent_id: mask.parent_id.then(|| ids::to_spiffe_id(&entry.parent_id)),
        selectors: wanted(mask.selectors, || ids::to_selectors(&entry.selectors)),
        x509_svid_ttl: wanted(mask.x509_svid_ttl, || time::ttl_seconds(entry.x509_svid_ttl)),
        federates_with: wanted(mask.federates_with, names),
        admin: mask.admin && entry.admin,
        downstream: mask.downstream && entry.downstream,
        expires_at: wanted(mask.expires_at, || time::optional_seconds(entry.expires_at)),
        dns_names: wanted(mask.dns_names, || entry.dns_names.clone()),
        revision_number: wanted(mask.revision_number, || entry.revision_number),
        store_svid: mask.store_svid && entry.store_svid,
        jwt_svid_ttl: wanted(mask.jwt_svid_ttl, || time::ttl_seconds(entry.jwt_svid_ttl)),
        hint: wanted(mask.hint, || entry.hint.clone()),
        created_at: wanted(mask.created_at, || time::seconds(entry.created_at)),
        additional_attributes: if mask.additional_attributes { to_attributes(attributes) } else { None },
    }
}

fn wanted<T: Default>(wanted: bool, value: impl FnOnce() -> T) -> T {
    if wanted { value() } else { T::default() }
}

fn to_attributes(attributes: AdditionalAttributes) -> Option<types::entry::AdditionalAttributes> {
    (attributes != AdditionalAttributes::default()).then_some(types::entry::AdditionalAttributes {
        disable_x509_svid_prefetch: attributes.x509_svid_prefetch_disabled,
        jwt_svid_include_jti: attributes.jwt_svid_includes_jti,
    })
}

/// A draft on its way to a server, under this ID or one of the server's choice: the bytes of its message.
pub(crate) fn encode_draft(id: Option<&EntryId>, draft: &EntryDraft) -> Bytes {
    to_draft(id, draft).encode_to_vec().into()
}

fn to_draft(id: Option<&EntryId>, draft: &EntryDraft) -> types::Entry {
    types::Entry {
        id: id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
        spiffe_id: Some(ids::to_spiffe_id(&draft.spiffe_id)),
        parent_id: Some(ids::to_spiffe_id(&draft.parent_id)),
        selectors: ids::to_selectors(&draft.selectors),
        x509_svid_ttl: time::ttl_seconds(draft.x509_svid_ttl),
        federates_with: draft.federates_with.iter().map(|name| name.name().to_owned()).collect(),
        admin: draft.admin,
        downstream: draft.downstream,
        expires_at: time::optional_seconds(draft.expires_at),
        dns_names: draft.dns_names.clone(),
        store_svid: draft.store_svid,
        jwt_svid_ttl: time::ttl_seconds(draft.jwt_svid_ttl),
        hint: draft.hint.clone(),
        additional_attributes: to_attributes(AdditionalAttributes {
            x509_svid_prefetch_disabled: draft.x509_svid_prefetch_disabled,
            jwt_svid_includes_jti: draft.jwt_svid_includes_jti,
        }),
        revision_number: 0,
        created_at: 0,
    }
}

/// A change to an entry: the fields of the mask. What only a server writes is passed over.
pub(crate) fn update(
    entry: types::Entry,
    mask: Option<types::EntryMask>,
) -> Result<(EntryId, EntryUpdate), WireError> {
    let mask = mask.unwrap_or(EVERYTHING);
    let given = id(&entry.id)?;
    let attributes = entry.additional_attributes.unwrap_or_default();
    let attributes = AdditionalAttributes {
        x509_svid_prefetch_disabled: attributes.disable_x509_svid_prefetch,
        jwt_svid_includes_jti: attributes.jwt_svid_include_jti,
    };
    let expires_at = || time::optional_instant("entry's expires_at", entry.expires_at);
    let update = EntryUpdate {
        spiffe_id: changed(mask.spiffe_id, || ids::spiffe_id("entry's spiffe_id", entry.spiffe_id))?,
        parent_id: changed(mask.parent_id, || ids::spiffe_id("entry's parent_id", entry.parent_id))?,
        selectors: changed(mask.selectors, || ids::selectors(entry.selectors))?,
        x509_svid_ttl: changed(mask.x509_svid_ttl, || time::ttl("x509_svid_ttl", entry.x509_svid_ttl))?,
        jwt_svid_ttl: changed(mask.jwt_svid_ttl, || time::ttl("jwt_svid_ttl", entry.jwt_svid_ttl))?,
        federates_with: changed(mask.federates_with, || federates_with(&entry.federates_with))?,
        admin: mask.admin.then_some(entry.admin),
        downstream: mask.downstream.then_some(entry.downstream),
        store_svid: mask.store_svid.then_some(entry.store_svid),
        expires_at: changed(mask.expires_at, expires_at)?,
        dns_names: changed(mask.dns_names, || dns_names(&entry.dns_names))?,
        hint: mask.hint.then_some(entry.hint),
        additional_attributes: mask.additional_attributes.then_some(attributes),
    };
    Ok((given, update))
}

fn changed<T>(changed: bool, value: impl FnOnce() -> Result<T, WireError>) -> Result<Option<T>, WireError> {
    changed.then(value).transpose()
}

/// A change on its way to a server, with the mask that says what it changes.
pub(crate) fn to_update(id: &EntryId, update: EntryUpdate) -> (types::Entry, types::EntryMask) {
    let mask = types::EntryMask {
        spiffe_id: update.spiffe_id.is_some(),
        parent_id: update.parent_id.is_some(),
        selectors: update.selectors.is_some(),
        x509_svid_ttl: update.x509_svid_ttl.is_some(),
        federates_with: update.federates_with.is_some(),
        admin: update.admin.is_some(),
        downstream: update.downstream.is_some(),
        expires_at: update.expires_at.is_some(),
        dns_names: update.dns_names.is_some(),
        revision_number: false,
        store_svid: update.store_svid.is_some(),
        jwt_svid_ttl: update.jwt_svid_ttl.is_some(),
        hint: update.hint.is_some(),
        created_at: false,
        additional_attributes: update.additional_attributes.is_some(),
    };
    let federates_with = update.federates_with.unwrap_or_default();
    let entry = types::Entry {
        id: id.as_str().to_owned(),
        spiffe_id: update.spiffe_id.as_ref().map(ids::to_spiffe_id),
        parent_id: update.parent_id.as_ref().map(ids::to_spiffe_id),
        selectors: update.selectors.as_ref().map(ids::to_selectors).unwrap_or_default(),
        x509_svid_ttl: time::ttl_seconds(update.x509_svid_ttl.flatten()),
        federates_with: federates_with.iter().map(|name| name.name().to_owned()).collect(),
        admin: update.admin.unwrap_or_default(),
        downstream: update.downstream.unwrap_or_default(),
        expires_at: time::optional_seconds(update.expires_at.flatten()),
        dns_names: update.dns_names.unwrap_or_default(),
        store_svid: update.store_svid.unwrap_or_default(),
        jwt_svid_ttl: time::ttl_seconds(update.jwt_svid_ttl.flatten()),
        hint: update.hint.unwrap_or_default(),
        additional_attributes: update.additional_attributes.and_then(to_attributes),
        revision_number: 0,
        created_at: 0,
    };
    (entry, mask)
}

/// Upstream has the same filter twice, under two names.
pub(crate) fn count_filter(
    given: Option<proto::count_entries_request::Filter>,
) -> Result<EntryFilter, Status> {
    list_filter(given.map(|given| proto::list_entries_request::Filter {
        by_spiffe_id: given.by_spiffe_id,
        by_parent_id: given.by_parent_id,
        by_selectors: given.by_selectors,
        by_federates_with: given.by_federates_with,
        by_hint: given.by_hint,
        by_downstream: given.by_downstream,
    }))
}

pub(crate) fn list_filter(given: Option<proto::list_entries_request::Filter>) -> Result<EntryFilter, Status> {
    given.map_or_else(|| Ok(EntryFilter::default()), entry_filter).map_err(WireError::refusal)
}

fn entry_filter(given: proto::list_entries_request::Filter) -> Result<EntryFilter, WireError> {
    Ok(EntryFilter {
        spiffe_id: ids::optional_spiffe_id("by_spiffe_id", given.by_spiffe_id)?,
        parent_id: ids::optional_spiffe_id("by_parent_id", given.by_parent_id)?,
        selectors: given.by_selectors.map(filter::selector_match).transpose()?,
        federates_with: given.by_federates_with.as_ref().map(filter::federates_with_match).transpose()?,
        hint: given.by_hint,
        downstream: given.by_downstream,
    })
}

pub(crate) fn to_list_filter(given: EntryFilter) -> proto::list_entries_request::Filter {
    proto::list_entries_request::Filter {
        by_spiffe_id: given.spiffe_id.as_ref().map(ids::to_spiffe_id),
        by_parent_id: given.parent_id.as_ref().map(ids::to_spiffe_id),
        by_selectors: given.selectors.as_ref().map(filter::to_selector_match),
        by_federates_with: given.federates_with.as_ref().map(filter::to_federates_with_match),
        by_hint: given.hint,
        by_downstream: given.downstream,
    }
}

pub(crate) fn to_count_filter(given: EntryFilter) -> proto::count_entries_request::Filter {
    let given = to_list_filter(given);
    proto::count_entries_request::Filter {
        by_spiffe_id: given.by_spiffe_id,
        by_parent_id: given.by_parent_id,
        by_selectors: given.by_selectors,
        by_federates_with: given.by_federates_with,
        by_hint: given.by_hint,
        by_downstream: given.by_downstream,
    }
}

#[cfg(test)]
mod tests;

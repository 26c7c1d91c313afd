//! `finial entry update`: every field is replaced by what the flags say.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use finial_identity::{EntryDraft, EntryId};
use finial_wire::{EntryUpdate, client::EntryClient};
use serde_json::json;

use super::{data, fields::Fields};
use crate::{
    connection::{ServerSocket, code_name},
    output::{self, Incomplete, Output},
    text,
};

#[derive(Args)]
pub(crate) struct Update {
    /// ID of the entry
    #[arg(long = "entryID", visible_alias = "entry-id", value_name = "ID")]
    entry_id: Option<String>,
    #[command(flatten)]
    fields: Fields,
    /// A file with entries in JSON, each with its entry_id, instead of the flags, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["entry_id", "spiffe_id", "parent_id", "selectors"])]
    data: Option<PathBuf>,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Update {
    pub(crate) async fn run(self) -> Result<()> {
        let wanted = self.wanted()?;
        let client = EntryClient::new(self.socket.connect().await?);
        let (mut updated, mut refused, mut results) = (String::new(), String::new(), Vec::new());
        for (id, draft) in wanted {
            match client.update_entry(&id, EntryUpdate::replacing(draft.clone())).await {
                Ok(entry) => {
                    updated += &text::entry(&entry);
                    results.push(json!({"status": text::ok_json(), "entry": text::entry_json(&entry)}));
                }
                Err(status) => {
                    let (name, message) = (code_name(status.code()), status.message());
                    let entry = text::draft(Some(&id), &draft);
                    refused += &format!(
                        "Failed to update the following entry (code: {name}, msg: {message:?}):\n{entry}"
                    );
                    let status = json!({"code": i32::from(status.code()), "message": message});
                    results.push(json!({"status": status, "entry": text::draft_json(Some(&id), &draft)}));
                }
            }
        }
        self.output.print(updated, || json!({"results": results}));
        if refused.is_empty() {
            return Ok(());
        }
        if !self.output.is_json() {
            output::complain(refused);
        }
        bail!(Incomplete("failed to update one or more entries"));
    }

    fn wanted(&self) -> Result<Vec<(EntryId, EntryDraft)>> {
        if let Some(file) = &self.data {
            let named = |(id, draft): (Option<EntryId>, EntryDraft)| {
                let id = id.with_context(|| format!("the entry of {} has no entry_id", draft.spiffe_id))?;
                Ok((id, draft))
            };
            return data::read(file)?.into_iter().map(named).collect();
        }
        let id = self.entry_id.as_deref().context("entry ID is required: give -entryID")?;
        Ok(vec![(EntryId::new(id)?, self.fields.draft(None)?)])
    }
}

//! `finial entry create`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use finial_identity::{EntryDraft, EntryId};
use finial_wire::client::EntryClient;
use serde_json::json;
use tonic::Code;

use super::{data, fields::Fields};
use crate::{
    connection::{ServerSocket, answered, code_name},
    output::{self, Incomplete, Output},
    text,
};

#[derive(Args)]
pub(crate) struct Create {
    #[command(flatten)]
    fields: Fields,
    /// ID of the entry [default: made by the server]
    #[arg(long = "entryID", visible_alias = "entry-id", value_name = "ID")]
    entry_id: Option<String>,
    /// The entry is an alias for the agents that show the selectors; -parentID is not needed
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    node: bool,
    /// A file with entries in JSON, instead of the flags that describe one, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["entry_id", "node", "spiffe_id", "parent_id", "selectors"])]
    data: Option<PathBuf>,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Create {
    pub(crate) async fn run(self) -> Result<()> {
        let wanted = self.wanted()?;
        let client = EntryClient::new(self.socket.connect().await?);
        let outcomes = client.create_entries(&wanted).await.map_err(answered)?;
        let (mut created, mut refused, mut results) = (String::new(), String::new(), Vec::new());
        for ((id, draft), outcome) in wanted.iter().zip(outcomes) {
            let (code, message, entry, entry_json) = match outcome {
                Ok(done) if !done.existed => {
                    created += &text::entry(&done.entry);
                    results.push(json!({"status": text::ok_json(), "entry": text::entry_json(&done.entry)}));
                    continue;
                }
                Ok(existing) => (
                    Code::AlreadyExists,
                    "similar entry already exists".to_owned(),
                    text::entry(&existing.entry),
                    text::entry_json(&existing.entry),
                ),
                Err(status) => (
                    status.code(),
                    status.message().to_owned(),
                    text::draft(id.as_ref(), draft),
                    text::draft_json(id.as_ref(), draft),
                ),
            };
            let name = code_name(code);
            refused +=
                &format!("Failed to create the following entry (code: {name}, msg: {message:?}):\n{entry}");
            let status = json!({"code": i32::from(code), "message": message});
            results.push(json!({"status": status, "entry": entry_json}));
        }
        self.output.print(created, || json!({"results": results}));
        if refused.is_empty() {
            return Ok(());
        }
        if !self.output.is_json() {
            output::complain(refused);
        }
        bail!(Incomplete("failed to create one or more entries"));
    }

    fn wanted(&self) -> Result<Vec<(Option<EntryId>, EntryDraft)>> {
        if let Some(file) = &self.data {
            return data::read(file);
        }
        let parent = self.node.then(|| self.fields.server_id()).transpose()?;
        let draft = self.fields.draft(parent)?;
        Ok(vec![(self.entry_id.as_deref().map(EntryId::new).transpose()?, draft)])
    }
}

//! `finial entry create`.

use anyhow::{Result, bail};
use clap::Args;
use finial_identity::EntryId;
use finial_wire::client::EntryClient;
use serde_json::json;

use super::fields::Fields;
use crate::{
    connection::ServerSocket,
    output::{self, Output},
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
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Create {
    pub(crate) async fn run(self) -> Result<()> {
        let parent = self.node.then(|| self.fields.server_id()).transpose()?;
        let draft = self.fields.draft(parent)?;
        let id = self.entry_id.as_deref().map(EntryId::new).transpose()?;
        let client = EntryClient::new(self.socket.connect().await?);
        match client.create_entry(id.as_ref(), &draft).await {
            Ok(created) if created.existed => {
                let entry = text::entry(&created.entry);
                eprint!(
                    "Failed to create the following entry (code: AlreadyExists, msg: \"similar entry already exists\"):\n{entry}"
                );
                bail!("failed to create one or more entries");
            }
            Ok(created) => {
                self.output.print(text::entry(&created.entry), || {
                    json!({"results": [{"status": {"code": 0, "message": "OK"}, "entry": text::entry_json(&created.entry)}]})
                });
                Ok(())
            }
            Err(status) => {
                output::error(&anyhow::anyhow!(
                    "failed to create the entry (code: {:?}, msg: {:?})",
                    status.code(),
                    status.message()
                ));
                bail!("failed to create one or more entries");
            }
        }
    }
}

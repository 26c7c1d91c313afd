//! `finial entry update`: every field is replaced by what the flags say.

use anyhow::Result;
use clap::Args;
use finial_identity::EntryId;
use finial_wire::{EntryUpdate, client::EntryClient};
use serde_json::json;

use super::fields::Fields;
use crate::{
    connection::{ServerSocket, refused},
    output::Output,
    text,
};

#[derive(Args)]
pub(crate) struct Update {
    /// ID of the entry
    #[arg(long = "entryID", visible_alias = "entry-id", value_name = "ID")]
    entry_id: String,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Update {
    pub(crate) async fn run(self) -> Result<()> {
        let id = EntryId::new(&self.entry_id)?;
        let update = EntryUpdate::replacing(self.fields.draft(None)?);
        let client = EntryClient::new(self.socket.connect().await?);
        let entry = client.update_entry(&id, update).await.map_err(refused("failed to update the entry"))?;
        self.output.print(text::entry(&entry), || {
            json!({"results": [{"status": {"code": 0, "message": "OK"}, "entry": text::entry_json(&entry)}]})
        });
        Ok(())
    }
}

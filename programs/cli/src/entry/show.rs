//! `finial entry show` and `finial entry count`.

use anyhow::Result;
use clap::Args;
use finial_identity::EntryId;
use finial_wire::client::EntryClient;
use serde_json::json;

use super::filter::Filter;
use crate::{
    connection::{ServerSocket, refused},
    output::Output,
    text,
};

#[derive(Args)]
pub(crate) struct Show {
    /// Only the entry with this ID
    #[arg(long = "entryID", visible_alias = "entry-id", value_name = "ID", conflicts_with_all = ["parent_id", "spiffe_id", "selectors"])]
    entry_id: Option<String>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Show {
    pub(crate) async fn run(self) -> Result<()> {
        let filter = self.filter.parse()?;
        let client = EntryClient::new(self.socket.connect().await?);
        let mut entries = match &self.entry_id {
            Some(id) => {
                vec![client.entry(&EntryId::new(id)?).await.map_err(refused("error fetching entry"))?]
            }
            None => client.list_entries(filter).await.map_err(refused("error fetching entries"))?,
        };
        entries.sort_by(|a, b| (&a.spiffe_id, &a.id).cmp(&(&b.spiffe_id, &b.id)));
        let found = format!("Found {}\n", text::counted(entries.len(), "entry", "entries"));
        let all: String = entries.iter().map(text::entry).collect();
        self.output.print(found + &all, || {
            json!({
                "entries": entries.iter().map(text::entry_json).collect::<Vec<_>>(),
                "next_page_token": "",
            })
        });
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Count {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Count {
    pub(crate) async fn run(self) -> Result<()> {
        let filter = self.filter.parse()?;
        let client = EntryClient::new(self.socket.connect().await?);
        let count = client.count_entries(filter).await.map_err(refused("error counting entries"))?;
        let noun = if count == 1 { "entry" } else { "entries" };
        self.output.print(format_args!("{count} registration {noun}\n"), || json!({"count": count}));
        Ok(())
    }
}

//! `finial entry delete`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use finial_identity::EntryId;
use finial_wire::client::EntryClient;
use serde::Deserialize;
use serde_json::json;

use crate::{
    connection::{ServerSocket, code_name},
    output::{self, Incomplete, Output},
    text,
};

/// The file of `-file` as SPIRE has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(alias = "Ids")]
    ids: Vec<String>,
}

#[derive(Args)]
#[group(id = "which", multiple = false)]
struct Which {
    /// ID of the entry
    #[arg(long = "entryID", visible_alias = "entry-id", value_name = "ID")]
    entry_id: Option<String>,
    /// A file with entry IDs, as {"ids": […]} or one a line, or - for standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    output: Output,
}

impl Delete {
    pub(crate) async fn run(self) -> Result<()> {
        let ids = self.which.ids()?;
        let client = EntryClient::new(self.socket.connect().await?);
        let (mut deleted, mut failures, mut results) = (String::new(), 0, Vec::new());
        for id in ids {
            match client.delete_entry(&id).await {
                Ok(()) => {
                    deleted += &format!("Deleted entry with ID: {id}\n");
                    results.push(json!({"status": text::ok_json(), "id": id.to_string()}));
                }
                Err(status) => {
                    failures += 1;
                    if !self.output.is_json() {
                        let (name, message) = (code_name(status.code()), status.message());
                        output::complain(format_args!(
                            "Failed to delete entry with ID {id} (code: {name}, msg: {message:?})\n"
                        ));
                    }
                    let code = i32::from(status.code());
                    results.push(
                        json!({"status": {"code": code, "message": status.message()}, "id": id.to_string()}),
                    );
                }
            }
        }
        self.output.print(deleted, || json!({"results": results}));
        if failures > 0 {
            bail!(Incomplete("failed to delete one or more entries"));
        }
        Ok(())
    }
}

impl Which {
    fn ids(&self) -> Result<Vec<EntryId>> {
        let text = match (&self.entry_id, &self.file) {
            (Some(id), _) => return Ok(vec![EntryId::new(id)?]),
            (None, Some(file)) if file.as_os_str() == "-" => std::io::read_to_string(std::io::stdin())?,
            (None, Some(file)) => std::fs::read_to_string(file)
                .with_context(|| format!("-file {} cannot be read", file.display()))?,
            (None, None) => bail!("an entry ID is required: give -entryID or -file"),
        };
        let ids: Vec<String> = match text.trim_start().starts_with('{') {
            true => serde_json::from_str::<Document>(&text).context("-file")?.ids,
            false => text.lines().map(|line| line.trim().to_owned()).collect(),
        };
        ids.into_iter().filter(|id| !id.is_empty()).map(|id| Ok(EntryId::new(id)?)).collect()
    }
}

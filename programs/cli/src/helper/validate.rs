//! `finial helper validate`: what a configuration would do, without doing it.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use finial_helper::{Config, Examined, examine};
use serde_json::{Value, json};

use super::Which;
use crate::output::Output;

/// Ends with 0 when the helper would start, as far as can be told without asking the agent; else with 1.
#[derive(Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    output: Output,
}

impl Validate {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let examined = examine(&self.which.config, &self.which.overrides());
        self.output.print(screen(&examined), || machine(&examined));
        Ok(if examined.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn screen(examined: &Examined) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_plan(&mut text, examined);
    text
}

fn write_plan(text: &mut String, examined: &Examined) -> std::fmt::Result {
    if let Some(config) = &examined.config {
        let rhythm = if config.daemon_mode { "kept fresh" } else { "written once" };
        writeln!(text, "asks     {}", config.agent)?;
        writeln!(text, "writes   {} ({}), {rhythm}", config.cert_dir.display(), config.layout.description())?;
        let width = examined.files.iter().map(|file| file.path.as_os_str().len()).max().unwrap_or_default();
        for file in &examined.files {
            let (path, mode) = (file.path.display().to_string(), file.mode);
            writeln!(text, "         {path:width$}  {mode} {}  {}", owner(config), file.holds)?;
        }
        for (count, line) in examined.told.iter().enumerate() {
            writeln!(text, "{}{line}", if count == 0 { "tells    " } else { "         " })?;
        }
    }
    examined.warnings.iter().try_for_each(|warning| writeln!(text, "warning  {warning}"))?;
    examined.problems.iter().try_for_each(|problem| writeln!(text, "problem  {problem}"))
}

/// As `chown` writes it.
fn owner(config: &Config) -> String {
    let mine = || "-".to_owned();
    let user = config.ownership.owner.as_ref().map_or_else(mine, ToString::to_string);
    let group = config.ownership.group.as_ref().map_or_else(mine, ToString::to_string);
    format!("{user}:{group}")
}

fn machine(examined: &Examined) -> Value {
    let files = examined
        .files
        .iter()
        .map(|file| json!({"path": file.path, "mode": file.mode.to_string(), "holds": file.holds}));
    let config = examined.config.as_ref();
    json!({
        "ok": examined.is_good(),
        "agent": config.map(|config| config.agent.to_string()),
        "folder": config.map(|config| &config.cert_dir),
        "layout": config.map(|config| config.layout.name()),
        "daemon_mode": config.map(|config| config.daemon_mode),
        "owner": config.and_then(|config| config.ownership.owner.as_ref()).map(ToString::to_string),
        "group": config.and_then(|config| config.ownership.group.as_ref()).map(ToString::to_string),
        "files": files.collect::<Vec<_>>(),
        "told": examined.told,
        "warnings": examined.warnings,
        "problems": examined.problems,
    })
}

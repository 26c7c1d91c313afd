//! What health answers, in the ancestor's shape; commands and hooks stand beside it.

use serde_json::{Map, Value, json};

use super::State;
use super::command::{CommandState, Life};
use super::hook::HookState;
use super::output::{OutputKind, OutputState};

/// The body of an answer; `well` is what its status says.
pub(super) fn body(state: &State, well: bool) -> Value {
    let mut health = Map::new();
    health.insert("file_write_statuses".to_owned(), Value::Object(files(&state.outputs)));
    if !state.commands.is_empty() {
        health.insert("commands".to_owned(), state.commands.iter().map(command).collect());
    }
    if !state.hooks.is_empty() {
        health.insert("hooks".to_owned(), state.hooks.iter().map(hook).collect());
    }
    json!({"status": if well { "OK" } else { "Service Unavailable" }, "health": health})
}

/// All X.509 outputs have one status, the worst: the ancestor has one.
fn files(outputs: &[OutputState]) -> Map<String, Value> {
    let of = |kind| outputs.iter().filter(move |output| (output.kind == OutputKind::X509) == kind);
    let mut files = Map::new();
    if let Some(status) = of(true).map(|output| output.status).max() {
        files.insert("x509_write_status".to_owned(), json!(status.word()));
    }
    let status = |output: &OutputState| (output.file.display().to_string(), json!(output.status.word()));
    files.insert("jwt_write_status".to_owned(), Value::Object(of(false).map(status).collect()));
    files
}

fn command(command: &CommandState) -> (String, Value) {
    let told = match &command.life {
        Life::Waiting => json!({"status": "waiting"}),
        Life::Running { process } => json!({"status": "running", "process": process}),
        Life::Succeeded => json!({"status": "succeeded"}),
        Life::Failed { reason } => json!({"status": "failed", "reason": reason}),
    };
    (command.name.clone(), told)
}

fn hook(hook: &HookState) -> (String, Value) {
    let told = match &hook.last {
        None if hook.is_running => json!({"status": "running"}),
        None => json!({"status": "waiting"}),
        Some(Ok(())) => json!({"status": "succeeded"}),
        Some(Err(reason)) => json!({"status": "failed", "reason": reason}),
    };
    (hook.name.clone(), told)
}

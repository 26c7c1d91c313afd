//! What Prometheus collects.

use std::time::SystemTime;

use super::State;
use super::command::CommandState;
use super::hook::HookState;
use super::output::OutputState;
use super::page::Page;

/// All metrics at one moment.
pub(super) fn text(state: &State, now: SystemTime) -> String {
    let mut page = Page::default();
    if !state.outputs.is_empty() {
        outputs(&state.outputs, now, &mut page);
    }
    if !state.commands.is_empty() {
        commands(&state.commands, &mut page);
    }
    if !state.hooks.is_empty() {
        hooks(&state.hooks, &mut page);
    }
    page.into_text()
}

fn outputs(outputs: &[OutputState], now: SystemTime, page: &mut Page) {
    let files = outputs.iter().map(|output| output.file.display().to_string()).collect::<Vec<_>>();
    let labelled = || {
        outputs
            .iter()
            .zip(&files)
            .map(|(output, file)| (output, [("kind", output.kind.name()), ("file", file)]))
    };
    let name = "finial_helper_writes_total";
    page.family(name, "counter", "Times that an output was written, and that it could not be.");
    for (output, [kind, file]) in labelled() {
        page.sample(name, &[kind, file, ("result", "written")], output.written);
        page.sample(name, &[kind, file, ("result", "failed")], output.failed);
    }
    let written = labelled().filter_map(|(output, labels)| Some((output.written_at?, labels)));
    moments(
        "finial_helper_last_write_timestamp_seconds",
        "When an output was last written, since 1970.",
        written.map(|(at, labels)| (seconds(at, SystemTime::UNIX_EPOCH), labels.to_vec())),
        page,
    );
    let ending = labelled().filter_map(|(output, labels)| Some((output.expires?, labels)));
    moments(
        "finial_helper_expires_in_seconds",
        "How long what is written is still good; below zero once it has expired.",
        ending.map(|(at, labels)| (seconds(at, now), labels.to_vec())),
        page,
    );
}

fn commands(commands: &[CommandState], page: &mut Page) {
    let name = "finial_helper_command_running";
    page.family(name, "gauge", "Whether a command runs.");
    for command in commands {
        page.sample(name, &[("command", &command.name)], u8::from(command.is_running()));
    }
    let name = "finial_helper_command_starts_total";
    page.family(name, "counter", "Times that a command was started, the first one among them.");
    for command in commands {
        page.sample(name, &[("command", &command.name)], command.starts);
    }
    let name = "finial_helper_command_ends_total";
    page.family(
        name,
        "counter",
        "Times that a command has ended well, and that it did not, or could not be started.",
    );
    for command in commands {
        page.sample(name, &[("command", &command.name), ("result", "succeeded")], command.succeeded);
        page.sample(name, &[("command", &command.name), ("result", "failed")], command.failed);
    }
    let name = "finial_helper_command_signals_total";
    page.family(name, "counter", "Times that a command was sent its signal for new files.");
    for command in commands {
        page.sample(name, &[("command", &command.name)], command.told);
    }
}

fn hooks(hooks: &[HookState], page: &mut Page) {
    let name = "finial_helper_hook_runs_total";
    page.family(name, "counter", "Runs of a hook; each attempt is one.");
    for hook in hooks {
        page.sample(name, &[("hook", &hook.name), ("result", "succeeded")], hook.succeeded);
        page.sample(name, &[("hook", &hook.name), ("result", "failed")], hook.failed);
    }
    let name = "finial_helper_hook_failing";
    page.family(name, "gauge", "Whether the last run of a hook has failed.");
    for hook in hooks {
        page.sample(name, &[("hook", &hook.name)], u8::from(hook.has_failed()));
    }
    let name = "finial_helper_hook_duration_seconds";
    page.family(name, "summary", "How long runs of a hook take.");
    for hook in hooks {
        page.sample(&format!("{name}_sum"), &[("hook", &hook.name)], hook.took.as_secs_f64());
        page.sample(&format!("{name}_count"), &[("hook", &hook.name)], hook.succeeded + hook.failed);
    }
    let succeeded = hooks.iter().filter_map(|hook| Some((hook.succeeded_at?, hook)));
    moments(
        "finial_helper_hook_last_success_timestamp_seconds",
        "When a hook last succeeded, since 1970.",
        succeeded.map(|(at, hook)| (seconds(at, SystemTime::UNIX_EPOCH), vec![("hook", hook.name.as_str())])),
        page,
    );
}

/// A gauge of those that have one yet.
fn moments<'a>(
    name: &str,
    help: &str,
    samples: impl Iterator<Item = (i64, Vec<(&'a str, &'a str)>)>,
    page: &mut Page,
) {
    for (count, (value, labels)) in samples.enumerate() {
        if count == 0 {
            page.family(name, "gauge", help);
        }
        page.sample(name, &labels, value);
    }
}

/// Whole seconds from `since` to `instant`.
fn seconds(instant: SystemTime, since: SystemTime) -> i64 {
    let whole = |span: std::time::Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match instant.duration_since(since) {
        Ok(span) => whole(span),
        Err(before) => -whole(before.duration()),
    }
}

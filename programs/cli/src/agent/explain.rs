//! `finial agent explain`: why a process has the identities that it has, or none.

use std::fmt::Write;
use std::time::SystemTime;

use anyhow::Result;
use clap::Args;
use finial_daemon::{Clock, go};
use finial_identity::SelectorSet;
use finial_wire::client::explain;
use finial_wire::{ExplainedAttestor, ExplainedMatch, ExplainedMiss, Explanation};
use serde_json::{Value, json};

use crate::{
    connection::{AdminSocket, refused},
    output::Output,
    text,
};

#[derive(Args)]
pub(crate) struct Explain {
    /// Process ID, as the agent sees it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pid: i32,
    #[command(flatten)]
    socket: AdminSocket,
    #[command(flatten)]
    output: Output,
}

impl Explain {
    pub(crate) async fn run(self) -> Result<()> {
        let explanation = explain(self.socket.connect().await?, self.pid).await;
        let explanation = explanation.map_err(refused("cannot explain the process"))?;
        let now = Clock::system().now();
        self.output.print(page(&explanation, now), || json(&explanation));
        Ok(())
    }
}

/// One screen: the answer first, then its grounds.
fn page(it: &Explanation, now: SystemTime) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}\n", capital(&it.summary));
    let (process, unknown) = (&it.process, "(not to be read)".to_owned());
    let path = process.path.as_ref().unwrap_or(&unknown);
    let _ = writeln!(out, "Process {}: {path}, uid {}, gid {}", process.pid, process.uid, process.gid);
    it.attestors.iter().for_each(|attestor| out += &attestor_lines(attestor));
    let _ = writeln!(out, "\nEntries that match: {}", it.matches.len());
    it.matches.iter().for_each(|found| out += &match_lines(found, now));
    let _ = writeln!(out, "\nEntries that do not: {}", it.misses.len() + it.further_misses);
    it.misses.iter().for_each(|missed| out += &miss_lines(missed));
    if it.further_misses > 0 {
        let _ = writeln!(out, "  and {} that lack as much or more", it.further_misses);
    }
    let heard = it.last_sync.map_or_else(|| "never".to_owned(), |at| format!("{} ago", span(at, now)));
    let _ = writeln!(
        out,
        "\nThe agent has {}, and heard its server {heard}",
        text::counted(it.entries, "entry", "entries")
    );
    if let Some(failure) = &it.sync_failure {
        let _ = writeln!(out, "The last sync failed: {failure}");
    }
    out
}

fn attestor_lines(it: &ExplainedAttestor) -> String {
    let took = it.took.as_millis();
    let mut out = match &it.found {
        Ok(found) if found.is_empty() => format!("  {}: nothing ({took} ms)\n", it.name),
        Ok(_) => format!("  {}: ({took} ms)\n", it.name),
        Err(failure) => format!("  {}: failed after {took} ms: {failure}\n", it.name),
    };
    for selector in it.found.iter().flat_map(SelectorSet::iter) {
        let _ = writeln!(out, "    {selector}");
    }
    out
}

fn match_lines(it: &ExplainedMatch, now: SystemTime) -> String {
    let hint = if it.hint.is_empty() { String::new() } else { format!(", hint {}", it.hint) };
    let mut out = format!("  {}  {}{hint}\n", it.entry, it.spiffe_id);
    let _ = match &it.served {
        Ok(svid) => {
            let renewed = match svid.renews_at {
                Some(at) if at > now => format!("is renewed in {}", span(now, at)),
                _ => "is due for renewal".to_owned(),
            };
            writeln!(
                out,
                "    served: its X.509-SVID is valid for {}, and {renewed}",
                span(now, svid.expires_at)
            )
        }
        Err(obstacle) => writeln!(out, "    not served: {obstacle}"),
    };
    out
}

fn miss_lines(it: &ExplainedMiss) -> String {
    let lacking: Vec<_> = it.lacking.iter().map(ToString::to_string).collect();
    format!("  {}  {}\n    the process lacks {}\n", it.entry, it.spiffe_id, lacking.join(", "))
}

/// The time between the two in whole seconds, as `1h2m3s`.
fn span(from: SystemTime, to: SystemTime) -> String {
    let span = to.duration_since(from).unwrap_or_default();
    go::format_duration(std::time::Duration::from_secs(span.as_secs()))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn json(it: &Explanation) -> Value {
    json!({
        "summary": it.summary,
        "process": {
            "pid": it.process.pid,
            "uid": it.process.uid,
            "gid": it.process.gid,
            "path": it.process.path.clone().unwrap_or_default(),
        },
        "attestors": it.attestors.iter().map(attestor_json).collect::<Vec<_>>(),
        "matches": it.matches.iter().map(match_json).collect::<Vec<_>>(),
        "misses": it.misses.iter().map(|missed| json!({
            "entry_id": missed.entry.to_string(),
            "spiffe_id": text::id_json(&missed.spiffe_id),
            "lacking": selectors_json(&missed.lacking),
        })).collect::<Vec<_>>(),
        "further_misses": it.further_misses,
        "standing": {
            "entries": it.entries,
            "last_sync": text::seconds(it.last_sync),
            "sync_failure": it.sync_failure.clone().unwrap_or_default(),
        },
    })
}

fn attestor_json(it: &ExplainedAttestor) -> Value {
    json!({
        "name": it.name,
        "selectors": it.found.as_ref().map_or_else(|_| json!([]), selectors_json),
        "failure": it.found.as_ref().err().cloned().unwrap_or_default(),
        "took_milliseconds": it.took.as_millis().to_string(),
    })
}

fn match_json(it: &ExplainedMatch) -> Value {
    let served = it.served.as_ref().ok();
    json!({
        "entry_id": it.entry.to_string(),
        "spiffe_id": text::id_json(&it.spiffe_id),
        "hint": it.hint,
        "expires_at": text::seconds(served.map(|svid| svid.expires_at)),
        "renews_at": text::seconds(served.and_then(|svid| svid.renews_at)),
        "obstacle": it.served.as_ref().err().cloned().unwrap_or_default(),
    })
}

fn selectors_json(selectors: &SelectorSet) -> Value {
    selectors.iter().map(|selector| json!({"type": selector.kind(), "value": selector.value()})).collect()
}

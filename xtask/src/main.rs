//! Repository chores, run as `cargo xtask <command>`.

mod arch;
mod proto;

use std::{path::Path, process::ExitCode};

const USAGE: &str = "usage: cargo xtask arch | proto [--check]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["arch"] => arch::check(root()),
        ["proto"] => proto::generate(),
        ["proto", "--check"] => proto::check(),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

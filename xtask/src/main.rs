//! Repository chores, run as `cargo xtask <command>`.

mod proto;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask proto [--check]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
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

//! Tells the status server which compiler made it.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).arg("--version").output();
    let answer = asked.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    // As `rustc 1.95.0`, without the commit.
    let name: Vec<_> = answer.split_whitespace().take(2).collect();
    println!(
        "cargo::rustc-env=COMPILER={}",
        if name.is_empty() { "rustc".to_owned() } else { name.join(" ") }
    );
}

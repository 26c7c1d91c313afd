//! Instructions of what happens most, counted by callgrind and compared with what was counted before: that shows a
//! regression of a few percent on any machine, however busy. Run by `make bench`; alone:
//! `cargo bench -p finial-benches --bench instructions`, with `-- --accept` to make the new counts the baseline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot go on says why and ends"
)]

#[path = "../speed/agent.rs"]
mod agent;
mod counted;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use counted::Scenario;

/// Committed: a scenario and its instructions in each line.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions/baseline.txt");

/// By how much a count may differ from the baseline: nonces and hash seeds alone make a few per mille.
const TOLERANCE: f64 = 0.02;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, name] = arguments.as_slice()
        && flag == "--count"
    {
        counted::run(Scenario::named(name).expect("a scenario"));
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed (Debian: valgrind)");
        return ExitCode::SUCCESS;
    }
    let counts: Vec<(Scenario, u64)> = Scenario::ALL.map(|scenario| (scenario, count(scenario))).into();
    if arguments.iter().any(|argument| argument == "--accept") {
        let lines = counts.iter().map(|(scenario, count)| format!("{} {count}\n", scenario.name()));
        std::fs::write(BASELINE, lines.collect::<String>()).expect("the baseline is written");
    }
    let baseline = read(Path::new(BASELINE));
    let mut changed = false;
    for (scenario, count) in counts {
        let per = count as f64 / scenario.repeated() as f64;
        let against = match baseline.get(scenario.name()) {
            Some(&before) => {
                let change = count as f64 / before as f64 - 1.0;
                changed |= change.abs() > TOLERANCE;
                format!("{:+.1} % of the baseline", change * 100.0)
            }
            None => "no baseline".to_owned(),
        };
        println!("{:<8} {per:>12.0} instructions: {} ({against})", scenario.name(), scenario.what());
    }
    if changed {
        println!(
            "more than {} % from the baseline: find out why, or accept it with `-- --accept`",
            TOLERANCE * 100.0
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Runs this program again, under callgrind, which counts what happens inside [`counted::counted`] only.
fn count(scenario: Scenario) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .args(["--toggle-collect=*finial_counted*"])
        .arg(std::env::current_exe().expect("its own path"))
        .args(["--count", scenario.name()])
        .output()
        .expect("valgrind runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{told}", scenario.name());
    let collected = told.lines().find_map(|line| line.split_once("Collected :"));
    collected
        .and_then(|(_, count)| count.trim().parse().ok())
        .unwrap_or_else(|| panic!("no count in:\n{told}"))
}

fn read(path: &Path) -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let pair = |line: &str| Some((line.split_once(' ')?.0.to_owned(), line.split_once(' ')?.1.parse().ok()?));
    text.lines().filter_map(pair).collect()
}

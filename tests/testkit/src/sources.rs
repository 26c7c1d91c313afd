//! The sources of the workspace, and the tests in them: for documents that promise something, which a test checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// All Rust files below a folder, but for what is generated.
///
/// # Panics
/// When a folder cannot be read.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("a file of the workspace").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "gen" {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found
}

/// Every function that an attribute with `test` in it stands before, and those of batteries.
///
/// # Panics
/// When a file cannot be read.
pub fn tests_of_the_workspace() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["base", "flow", "plugins", "programs", "sdk", "tests", "xtask"];
    let files = folders.iter().flat_map(|folder| sources(&root.join(folder)));
    let tests_of = |file: PathBuf| {
        let source = fs::read_to_string(&file).expect("a file of the workspace");
        // The functions of a battery are tests of every implementation that runs it.
        let is_battery = file.to_string_lossy().contains("/battery");
        if is_battery {
            source.lines().filter_map(function).map(str::to_owned).collect()
        } else {
            tests_in(&source)
        }
    };
    files.flat_map(tests_of).collect()
}

fn tests_in(source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.contains("test");
        } else if let Some(name) = is_test.then(|| function(line)).flatten() {
            tests.push(name.to_owned());
            is_test = false;
        } else if !line.is_empty() && !line.starts_with("//") {
            is_test = false;
        }
    }
    tests
}

fn function(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    rest.split('(').next()
}

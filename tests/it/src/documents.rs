//! Documents that promise something: each test that they name exists, and each limit is what the code says.

mod limits;
mod tests_named;

use std::fs;
use std::path::{Path, PathBuf};

use finial_testkit::tests_of_the_workspace;
use tests_named::Named;

/// Those that name tests, and whether each of their claims must.
const DOCUMENTS: &[(&str, bool)] =
    &[("ARCHITECTURE.md", false), ("docs/limits.md", false), ("docs/threats.md", true)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_test_that_a_document_names_exists() {
    let tests = tests_of_the_workspace();
    let mut missing = Vec::new();
    for (path, _) in DOCUMENTS {
        let text = document(path);
        let named: Vec<Named<'_>> = Named::in_text(&text).collect();
        assert!(named.len() >= 10, "{path} names {} tests", named.len());
        let absent = named.iter().filter(|named| !tests.iter().any(|test| named.is(test)));
        missing.extend(absent.map(|named| format!("{path}: {}", named.as_str())));
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
}

#[test]
fn every_claim_of_the_threat_model_names_a_test() {
    for (path, _) in DOCUMENTS.iter().filter(|(_, each)| *each) {
        let text = document(path);
        let bare: Vec<_> = claims(&text)
            .into_iter()
            .filter(|claim| Named::in_text(claim).next().is_none() && !claim.contains("Not prevented"))
            .collect();
        assert!(bare.is_empty(), "{path} claims without a test:\n{}", bare.join("\n"));
    }
}

/// The items of all lists, each with the lines that belong to it.
fn claims(text: &str) -> Vec<String> {
    let mut claims: Vec<String> = Vec::new();
    for line in text.lines() {
        match claims.last_mut() {
            Some(claim) if line.starts_with("  ") => claim.push_str(line),
            _ if line.starts_with("- ") => claims.push(line.to_owned()),
            _ => {}
        }
    }
    claims
}

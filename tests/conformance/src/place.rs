//! Where the corpora and the pages about them lie.

use std::path::{Path, PathBuf};

/// The public corpus.
pub const LIMBO: &str = "tests/data/x509-limbo.json";
/// What is made of it.
pub const LIMBO_PAGE: &str = "docs/conformance/x509-limbo.md";
/// Our corpus.
pub const SVID: &str = "tests/data/x509-svid.json";
/// What is made of it.
pub const SVID_PAGE: &str = "docs/conformance/x509-svid.md";

/// A file of the repository.
pub fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

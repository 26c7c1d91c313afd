//! Where the programs lie: beside the test that runs.

use std::path::{Path, PathBuf};

/// The binary `finial` of the same build.
///
/// # Panics
/// When it was not built; `cargo test` alone does not build the binaries of other packages.
pub fn finial() -> PathBuf {
    built("finial", "cargo build -p finial-cli")
}

/// An example of one of our packages, of the same build.
///
/// # Panics
/// When it was not built.
pub fn example(name: &str) -> PathBuf {
    built(&format!("examples/{name}"), &format!("cargo build --workspace --example {name}"))
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    profile().parent().map(Path::to_owned).expect("the profile's folder lies in the target directory")
}

fn built(name: &str, remedy: &str) -> PathBuf {
    let path = profile().join(name);
    assert!(path.is_file(), "{} is missing: run `{remedy}` first", path.display());
    path
}

/// `<target>/debug`: tests run as `<target>/debug/deps/<name>-<hash>`.
fn profile() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    test.ancestors().nth(2).map(Path::to_owned).expect("a test lies in <target>/<profile>/deps")
}

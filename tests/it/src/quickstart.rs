//! The quickstart, as its reader runs it.

use std::{path::Path, process::Command};

#[test]
fn the_quickstart_shows_the_whole_promise() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(root.join("deploy/examples/quickstart/run"))
        .env("FINIAL", finial_testkit::finial())
        .env("HELLO", finial_testkit::example("hello"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    for line in ["the backend says: hello", "curl ends with 56", "no identity issued", "requests, 0 failures"]
    {
        assert!(told.contains(line), "the quickstart does not say {line:?}:\n{told}");
    }
}

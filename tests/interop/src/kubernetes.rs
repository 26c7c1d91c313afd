//! The examples of deploy/kubernetes: Kubernetes understands them, and our proxy understands what they say to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{finial, python, run};
use serde_json::Value;

use crate::peers::peer;

/// All documents of the YAML files that are named, as JSON.
const READ: &str = "import json, sys, yaml
print(json.dumps([d for f in sys.argv[1:] for d in yaml.safe_load_all(open(f))]))";

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kubernetes");
    let files = std::fs::read_dir(folder).expect("the examples").flatten().map(|entry| entry.path());
    let examples: Vec<PathBuf> = files.filter(|file| !file.ends_with("README.md")).collect();
    assert!(!examples.is_empty());
    examples
}

#[test]
fn kubernetes_understands_every_example() {
    let Some(python) = peer("kubernetes-validate", python("kubernetes_validate")) else { return };
    for version in ["1.28.0", "1.37.0"] {
        let mut command = Command::new(&python);
        command.args(["-m", "kubernetes_validate", "--strict", "--kubernetes-version", version]);
        run(command.args(examples())).expect_success();
    }
}

#[test]
fn the_proxy_of_every_example_takes_its_arguments() {
    let Some(python) = peer("kubernetes-validate", python("kubernetes_validate")) else { return };
    let documents = run(Command::new(python).args(["-c", READ]).args(examples())).expect_success();
    let documents: Vec<Value> = serde_json::from_str(&documents).expect("JSON");
    let pods = documents.iter().filter_map(|document| document.pointer("/spec/template/spec/containers"));
    let containers = pods.flat_map(|containers| containers.as_array().expect("containers"));
    let proxies = containers.filter(|container| container["command"] == serde_json::json!(["finial"]));
    let mut count = 0;
    for proxy in proxies {
        let args = proxy["args"].as_array().expect("arguments");
        let mut command = Command::new(finial());
        command.args(args.iter().map(|arg| arg.as_str().expect("text")));
        // It gets as far as asking for its identity, which nobody gives it here.
        command
            .args(["--use-workload-api-timeout=1ms"])
            .env("SPIFFE_ENDPOINT_SOCKET", "unix:///nowhere/api.sock");
        let answer = run(&mut command);
        let said = format!("{}{}", answer.stdout, answer.stderr);
        assert!(
            said.contains("timed out or failed waiting for initial SPIFFE Workload API update"),
            "{said}"
        );
        count += 1;
    }
    assert_eq!(count, 2, "a server and a client");
}

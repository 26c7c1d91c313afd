//! Every example configuration of deploy/ loads.

use std::path::Path;

fn example(name: &str) -> (String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples").join(name);
    (std::fs::read_to_string(&path).unwrap(), name.to_owned())
}

#[test]
fn the_servers_example_loads() {
    let (text, file) = example("server.conf");
    finial_server::Config::from_hcl(&text, &file).unwrap();
}

#[test]
fn the_helpers_example_loads() {
    let (text, file) = example("helper.conf");
    let config = finial_helper::Config::from_hcl(&text, &file, &finial_helper::Overrides::default()).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn the_agents_example_loads() {
    let (text, file) = example("agent.conf");
    finial_agent::Config::from_hcl(&text, &file).unwrap();
}

//! Envoys that trust another trust domain, until that trust is taken away.

use std::os::unix::fs::MetadataExt;

use finial_testkit::{Dev, until};

use super::{Envoy, example, program, serves};
use crate::peers;
use crate::proxy::Backend;

const HTTPBACKEND: &str = "spiffe://spiffe-demo.internal/ns/spiffe-customer/sa/spiffe-demo-httpbackend";
const CUSTOMER: &str = "spiffe://spiffe-demo.internal/ns/spiffe-demo/sa/spiffe-demo-customer";
const OWN_BUNDLE: &str = "name: \"spiffe://spiffe-demo.internal\"";
const STRANGER: &str = "spiffe://other.test/caller";

#[test]
fn trust_that_is_taken_away_is_gone_from_every_envoy() {
    let (Some(_), Some(curl)) = (program(), peers::program("curl")) else { return };
    let other = Dev::serving("other.test");
    other.identity(STRANGER);
    let stranger = other.write_svid();
    let dev = Dev::serving("spiffe-demo.internal");
    federate(&dev, &other, "create");
    let backend = Backend::start();
    let envoys = configurations().map(|(what, configuration)| {
        (what, Envoy::start(dev.folder(), &dev.agent_socket(), &configuration, backend.port()).live())
    });
    for (what, envoy) in &envoys {
        assert!(serves(&curl, &stranger, envoy), "{what}: {}", envoy.process.log());
    }
    dev.cli(&["bundle", "delete", "-id", "other.test", "-mode", "dissociate"]).expect_success();
    for (what, envoy) in &envoys {
        until(what, || (!serves(&curl, &stranger, envoy)).then_some(()));
        envoy.assert_content();
    }
    federate(&dev, &other, "update");
    for (what, envoy) in &envoys {
        until(what, || serves(&curl, &stranger, envoy).then_some(()));
        envoy.assert_content();
    }
}

/// Envoys that let in the stranger, by each of the ways in which they can be told whom to trust.
fn configurations() -> [(&'static str, String); 4] {
    let by = |name: &str| example("inbound.yaml").replace(CUSTOMER, STRANGER).replace(OWN_BUNDLE, name);
    let (all, one) = (by("name: ALL"), by("name: \"spiffe://other.test\""));
    let by_delta = one.replace("api_type: GRPC", "api_type: DELTA_GRPC");
    let node = "  cluster: spiffe-demo\n";
    let metadata = "  metadata: { disable_spiffe_cert_validation: true }\n";
    let without_validator = one.replacen(node, &format!("{node}{metadata}"), 1);
    [
        ("all bundles", all),
        ("the bundle", one),
        ("the bundle by delta", by_delta),
        ("the bundle without the validator", without_validator),
    ]
}

/// Stores the bundle of the other trust domain, and creates or updates the Envoys' entry so that it federates with it.
fn federate(dev: &Dev, other: &Dev, verb: &str) {
    let bundle = other.cli(&["bundle", "show", "-format", "spiffe"]).expect_success();
    let file = dev.folder().join("other.json");
    std::fs::write(&file, bundle).expect("a file for the bundle");
    let path = file.to_string_lossy();
    dev.cli(&["bundle", "set", "-id", "other.test", "-format", "spiffe", "-path", &path]).expect_success();
    let user = std::fs::metadata("/proc/self").expect("the owner of this process").uid();
    let (node, selector) = ("spiffe://spiffe-demo.internal/dev/node", format!("unix:uid:{user}"));
    let entry = ["entry", verb, "-entryID", "envoy", "-parentID", node, "-spiffeID", HTTPBACKEND];
    dev.cli(&[&entry[..], &["-selector", &selector, "-federatesWith", "other.test"]].concat())
        .expect_success();
}

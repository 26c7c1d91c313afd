//! Envoy with its SPIFFE validator, fed by SDS, and Traefik, fed by the Workload API: on either side of our proxy.

use finial_testkit::Process;

use super::{Ground, ID, SOMEBODY_ELSE};
use crate::envoy::{Envoy, example, get, program, traefik};
use crate::peers::peer;
use crate::proxy::{Backend, client_proxy, server_proxy};

const HTTPBACKEND: &str = "spiffe://spiffe-demo.internal/ns/spiffe-customer/sa/spiffe-demo-httpbackend";
const CUSTOMER: &str = "spiffe://spiffe-demo.internal/ns/spiffe-demo/sa/spiffe-demo-customer";

impl Ground {
    /// An Envoy of this ID, configured as an example, which expects `peer`.
    fn envoy(&self, name: &str, own: &str, other: &str, peer: &str, target: u16) -> Envoy {
        let text = example(name).replace(own, ID).replace(other, peer);
        let text = text.replace("\"spiffe://spiffe-demo.internal\"", "\"spiffe://example.org\"");
        Envoy::start(self.dev.folder(), &self.dev.agent_socket(), &text, target).live()
    }
}

#[test]
fn envoy_as_client_passes_by_its_id_alone() {
    if program().is_none() {
        return;
    }
    let ground = Ground::new();
    let ask = |port, peer| {
        let envoy = ground.envoy("outbound.yaml", CUSTOMER, HTTPBACKEND, peer, port);
        get(envoy.port(), "/").unwrap_or_default()
    };
    ground.admits(|port| ask(port, ID));
    // Nor does it go on to somebody else.
    let (_proxy, port) = server_proxy(&ground.dev, &ground.backend, ID);
    assert!(ask(port, SOMEBODY_ELSE).starts_with("HTTP/1.1 503"));
}

#[test]
fn envoy_as_server_passes_by_its_id_alone() {
    if program().is_none() {
        return;
    }
    let ground = Ground::new();
    let envoy = |peer| ground.envoy("inbound.yaml", HTTPBACKEND, CUSTOMER, peer, ground.backend.port());
    ground.accepts(envoy(ID).port());
    // Nor does it let in somebody else.
    let strict = envoy(SOMEBODY_ELSE);
    let (_proxy, front) = client_proxy(&ground.dev, strict.port(), ID);
    assert!(!get(front, "/").unwrap_or_default().contains(Backend::GREETING));
}

#[test]
fn traefik_as_client_passes_by_its_id_alone() {
    let Some(program) = peer("traefik", finial_testkit::traefik()) else { return };
    let ground = Ground::new();
    let ask = |target, peer| {
        let (mut process, port): (Process, u16) = traefik::start(&program, &ground.dev, target, peer);
        // It takes up its routes a moment after its port; until then there is nothing to be found.
        process.until("route", || get(port, "/").filter(|answer| !answer.starts_with("HTTP/1.1 404")))
    };
    ground.admits(|port| ask(port, ID));
    let (_proxy, port) = server_proxy(&ground.dev, &ground.backend, ID);
    assert!(ask(port, SOMEBODY_ELSE).starts_with("HTTP/1.1 500"));
}

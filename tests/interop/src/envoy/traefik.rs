//! Traefik, which takes its identity from the Workload API, before an Envoy, which takes its own by SDS.

use std::path::Path;
use std::process::Command;

use finial_testkit::{Dev, Process, free_port};

use super::{Envoy, example, get, program};
use crate::peers::peer;
use crate::proxy::Backend;

const HTTPBACKEND: &str = "spiffe://spiffe-demo.internal/ns/spiffe-customer/sa/spiffe-demo-httpbackend";
const CUSTOMER: &str = "spiffe://spiffe-demo.internal/ns/spiffe-demo/sa/spiffe-demo-customer";

#[test]
fn traefik_and_envoy_know_each_other() {
    let (Some(_), Some(traefik)) = (program(), peer("traefik", finial_testkit::traefik())) else { return };
    let dev = Dev::serving("spiffe-demo.internal");
    dev.identity(CUSTOMER);
    let backend = Backend::start();
    let configuration = example("inbound.yaml").replace(HTTPBACKEND, CUSTOMER);
    let inbound = Envoy::start(dev.folder(), &dev.agent_socket(), &configuration, backend.port()).live();
    for (id, status) in [(CUSTOMER, "HTTP/1.1 200"), (HTTPBACKEND, "HTTP/1.1 500")] {
        let (mut process, port) = start(&traefik, &dev, inbound.port, id);
        // It takes up its routes a moment after its port; until then there is nothing to be found.
        let answer =
            process.until("route", || get(port, "/").filter(|answer| !answer.starts_with("HTTP/1.1 404")));
        assert!(answer.starts_with(status), "{answer}\n{}", process.log());
        assert_eq!(answer.contains(Backend::GREETING), id == CUSTOMER);
    }
}

/// A Traefik before the server on `target`, which must be `id`, and its port.
pub(crate) fn start(program: &Path, dev: &Dev, target: u16, id: &str) -> (Process, u16) {
    let port = free_port();
    let routes = format!(
        "http:\n  \
         routers: {{ all: {{ rule: \"PathPrefix(`/`)\", service: service }} }}\n  \
         services: {{ service: {{ loadBalancer: {{ serversTransport: spiffe, \
         servers: [{{ url: \"https://127.0.0.1:{target}\" }}] }} }} }}\n  \
         serversTransports: {{ spiffe: {{ spiffe: {{ ids: [\"{id}\"] }} }} }}\n"
    );
    let file = dev.folder().join(format!("traefik-{port}.yaml"));
    std::fs::write(&file, routes).expect("its routes");
    let mut command = Command::new(program);
    command.arg(format!("--entrypoints.web.address=127.0.0.1:{port}"));
    command.arg(format!("--providers.file.filename={}", file.display()));
    command.arg(format!("--spiffe.workloadapiaddr={}", dev.endpoint()));
    command.args(["--global.checknewversion=false", "--global.sendanonymoususage=false"]);
    let mut process = Process::spawn("traefik", &mut command);
    process.wait_for_port(port);
    (process, port)
}

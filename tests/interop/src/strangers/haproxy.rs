//! HAProxy, with an SVID in files: mutual TLS on either side of it.

use super::{Ground, program};
use crate::envoy::get;

const COMMON: &str = "defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
";

const AS_CLIENT: &str = "frontend front
    bind 127.0.0.1:{port}
    default_backend proxy
backend proxy
    server proxy 127.0.0.1:{target} ssl crt pair.pem ca-file bundle.0.pem verify required verifyhost stranger.test
";

const AS_SERVER: &str = "frontend front
    bind 127.0.0.1:{port} ssl crt pair.pem ca-file bundle.0.pem verify required
    default_backend service
backend service
    server service 127.0.0.1:{target}
";

#[test]
fn haproxy_as_client_passes_by_its_id_alone() {
    let Some(haproxy) = program("haproxy") else { return };
    let ground = Ground::new();
    ground.admits(|proxy| {
        let configuration = format!("{COMMON}{AS_CLIENT}");
        let (_haproxy, port) = ground.start(&haproxy, &["-db", "-f"], &configuration, proxy);
        get(port, "/").unwrap_or_default()
    });
}

#[test]
fn haproxy_as_server_passes_by_its_id_alone() {
    let Some(haproxy) = program("haproxy") else { return };
    let ground = Ground::new();
    let configuration = format!("{COMMON}{AS_SERVER}");
    let (_haproxy, port) = ground.start(&haproxy, &["-db", "-f"], &configuration, ground.backend.port());
    ground.accepts(port);
}

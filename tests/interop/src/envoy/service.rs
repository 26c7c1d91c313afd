//! A service and its caller, each behind an Envoy, as a tutorial configures them; and the load between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use finial_testkit::{Dev, until};

use super::{Envoy, example, get, program};
use crate::proxy::Backend;

pub(super) const TRUST_DOMAIN: &str = "spiffe-demo.internal";
pub(super) const HTTPBACKEND: &str =
    "spiffe://spiffe-demo.internal/ns/spiffe-customer/sa/spiffe-demo-httpbackend";
pub(super) const CUSTOMER: &str = "spiffe://spiffe-demo.internal/ns/spiffe-demo/sa/spiffe-demo-customer";

/// Makes the Envoy shake hands for each request.
const ONE_REQUEST_EACH: &str = r#"    - name: httpbackend
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          common_http_protocol_options: { max_requests_per_connection: 1 }
          explicit_http_config: { http_protocol_options: {} }
"#;

/// A trust domain, a service, and the Envoy before it.
pub(super) struct Service {
    pub(super) dev: Dev,
    pub(super) backend: Backend,
}

impl Service {
    pub(super) fn found() -> Option<Self> {
        program()?;
        let dev = Dev::serving(TRUST_DOMAIN);
        dev.identity(HTTPBACKEND);
        dev.identity(CUSTOMER);
        Some(Self { dev, backend: Backend::start() })
    }

    /// The Envoy before the service.
    pub(super) fn inbound(&self, configuration: &str) -> Envoy {
        self.envoy(configuration, self.backend.port()).live()
    }

    /// The Envoy before the caller.
    pub(super) fn outbound(&self, configuration: &str, inbound: &Envoy) -> Envoy {
        self.envoy(configuration, inbound.port).live()
    }

    pub(super) fn envoy(&self, configuration: &str, target: u16) -> Envoy {
        Envoy::start(self.dev.folder(), &self.dev.agent_socket(), configuration, target)
    }
}

pub(super) fn inbound() -> String {
    example("inbound.yaml")
}

pub(super) fn outbound() -> String {
    example("outbound.yaml")
        .replace("    - name: httpbackend\n      connect", &format!("{ONE_REQUEST_EACH}      connect"))
}

pub(super) fn delta(configuration: &str) -> String {
    configuration.replace("api_type: GRPC", "api_type: DELTA_GRPC")
}

/// Whether a request through the Envoy reaches the service.
pub(super) fn succeeds(envoy: &Envoy) -> bool {
    get(envoy.port, "/").is_some_and(|answer| answer.contains(Backend::GREETING))
}

/// Whether the Envoy says that it cannot reach the service.
pub(super) fn fails(envoy: &Envoy) -> bool {
    get(envoy.port, "/").is_some_and(|answer| answer.starts_with("HTTP/1.1 503"))
}

/// Requests, one after the other, as fast as they are answered.
pub(super) struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    worker: thread::JoinHandle<(usize, usize)>,
}

impl Load {
    pub(super) fn on(port: u16) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&answered));
        let worker = thread::spawn(move || {
            let (mut succeeded, mut failed) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                match get(port, "/") {
                    Some(answer) if answer.contains(Backend::GREETING) => succeeded += 1,
                    _ => failed += 1,
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
            (succeeded, failed)
        });
        Self { is_over, answered, worker }
    }

    /// Waits for some more answers.
    pub(super) fn more(&self) {
        let enough = self.answered.load(Ordering::Relaxed) + 20;
        until("answers", || (self.answered.load(Ordering::Relaxed) >= enough).then_some(()));
    }

    /// How many requests succeeded, and how many failed.
    pub(super) fn stop(self) -> (usize, usize) {
        self.is_over.store(true, Ordering::Relaxed);
        self.worker.join().expect("the load")
    }
}

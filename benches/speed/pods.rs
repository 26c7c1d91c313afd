//! Attestation in a pod: the agent's CPU for one caller on a node with 250 pods, beside fetching the same list and throwing
//! it away.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finial_attest::{Container, ContainerId, PodUid};
use finial_daemon::Clock;
use finial_plugin_k8s::{Credentials, K8sAttestor, K8sConfig, KubeletPort, Verification};
use futures_util::future::join_all;
use rustix::time::{ClockId, clock_gettime};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::measure::{RUNS, median, own_cpu_us};

const PODS: usize = 250;
const CALLERS: usize = 50;

pub(crate) async fn bench() {
    let kubelet = Kubelet::start();
    let mut one = Vec::new();
    let mut bare = Vec::new();
    let mut burst = Vec::new();
    for _ in 0..RUNS {
        // With no interval no list serves twice: each caller has one fetched.
        let attestor = kubelet.attestor(Duration::ZERO);
        let container = container(PODS - 1);
        one.push(
            kubelet
                .cpu_ms(CALLERS, async || drop(attestor.attest_container(&container).await.unwrap()))
                .await,
        );
        // A list that is never understood: fetched, and thrown away at its first byte.
        kubelet.garble(true);
        bare.push(
            kubelet
                .cpu_ms(CALLERS, async || drop(attestor.attest_container(&container).await.unwrap_err()))
                .await,
        );
        kubelet.garble(false);
        let containers: Vec<_> = (0..PODS).map(self::container).collect();
        burst.push(
            kubelet
                .cpu_ms(1, async || {
                    let attestor = kubelet.attestor(Duration::from_millis(500));
                    let callers = containers.iter().map(|it| attestor.attest_container(it));
                    assert!(join_all(callers).await.iter().all(Result::is_ok));
                })
                .await,
        );
    }
    let (one, bare, burst) = (median(&mut one), median(&mut bare), median(&mut burst));
    println!(
        "pods: a caller in one of {PODS} pods, {} kB over TLS: {one:.2} ms of CPU (target ≤ 5)",
        kubelet.size / 1000
    );
    println!("  the same list fetched and thrown away: {bare:.2} ms; ratio {:.2}", one / bare);
    println!("  a caller in each of the {PODS} pods at once: {burst:.2} ms together");
}

fn container_id(number: usize) -> String {
    format!("{number:064x}")
}

fn uid(number: usize) -> String {
    format!("{number:08x}-b29f-41e7-9350-020968147796")
}

fn container(number: usize) -> Container {
    Container {
        id: ContainerId::parse(&container_id(number)).unwrap(),
        pod_uid: PodUid::parse(&uid(number)),
        owner: None,
        is_podman: false,
    }
}

/// A pod as clusters have them: some 9 kB, of which an attestation needs one.
fn pod(number: usize) -> String {
    let (uid, id) = (uid(number), container_id(number));
    let env: Vec<String> = (0..40)
        .map(|n| {
            format!(
                r#"{{"name":"SETTING_{n}","value":"tcp://service-{n}.shop.svc.cluster.local:8080/path"}}"#
            )
        })
        .collect();
    let conditions: Vec<String> = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .map(|kind| {
            format!(r#"{{"type":"{kind}","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}}"#)
        })
        .into();
    let volumes: Vec<String> = (0..20)
        .map(|n| format!(r#"{{"name":"v-{n}","projected":{{"sources":[{{"configMap":{{"name":"c-{n}","items":[{{"key":"k","path":"p"}}]}}}}],"defaultMode":420}}}}"#))
        .collect();
    let (env, conditions, volumes) = (env.join(","), conditions.join(","), volumes.join(","));
    format!(
        r#"{{"metadata":{{"name":"cart-5d4f8-{number}","generateName":"cart-5d4f8-","namespace":"shop","uid":"{uid}",
        "resourceVersion":"123456","creationTimestamp":"2026-01-01T00:00:00Z","labels":{{"app":"cart","tier":"backend",
        "pod-template-hash":"5d4f8","app.kubernetes.io/part-of":"shop"}},"annotations":{{"kubernetes.io/config.seen":"2026"}},
        "ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"cart-5d4f8","uid":"{uid}"}}]}},
        "spec":{{"serviceAccountName":"cart","nodeName":"node-1","containers":[{{"name":"main","image":"registry/cart:1",
        "env":[{env}]}}],"volumes":[{volumes}]}},"status":{{"phase":"Running","conditions":[{conditions}],
        "containerStatuses":[{{"name":"main","image":"registry/cart:1","imageID":"registry/cart@sha256:{id}",
        "containerID":"containerd://{id}","ready":true,"restartCount":0}}]}}}}"#
    )
}

/// A kubelet on a thread of its own, whose CPU time does not count.
struct Kubelet {
    port: u16,
    size: usize,
    cpu_ns: Arc<AtomicU64>,
    garbles: Arc<AtomicU64>,
}

impl Kubelet {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let body = format!(r#"{{"items":[{}]}}"#, (0..PODS).map(pod).collect::<Vec<_>>().join(","));
        let (size, cpu_ns, garbles) = (body.len(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let (spent, garbled) = (Arc::clone(&cpu_ns), Arc::clone(&garbles));
        std::thread::spawn(move || serve(&listener, &body, &spent, &garbled));
        Self { port, size, cpu_ns, garbles }
    }

    fn garble(&self, garbles: bool) {
        self.garbles.store(u64::from(garbles), Ordering::SeqCst);
    }

    fn attestor(&self, poll_retry_interval: Duration) -> K8sAttestor {
        let port = KubeletPort::Secure {
            port: self.port,
            verification: Verification::Skipped,
            credentials: Credentials::Anonymous,
        };
        let node_name_env = String::new();
        K8sAttestor::new(
            K8sConfig { port, poll_retry_interval, node_name_env, ..K8sConfig::default() },
            Clock::system(),
        )
    }

    /// The CPU time of one of `times`, without the kubelet's.
    async fn cpu_ms(&self, times: usize, work: impl AsyncFn()) -> f64 {
        let ours = || own_cpu_us() - self.cpu_ns.load(Ordering::SeqCst) as f64 / 1e3;
        work().await;
        let before = ours();
        for _ in 0..times {
            work().await;
        }
        (ours() - before) / times as f64 / 1e3
    }
}

fn serve(listener: &TcpListener, body: &str, cpu_ns: &AtomicU64, garbles: &AtomicU64) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(["node-1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let config = Arc::new(config);
    for stream in listener.incoming() {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream.unwrap());
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).unwrap();
        let length = body.len();
        let first = if garbles.load(Ordering::SeqCst) == 1 { "x" } else { "{" };
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{first}{}", &body[1..]).unwrap();
        stream.conn.send_close_notify();
        let _ = stream.flush();
        let time = clock_gettime(ClockId::ThreadCPUTime);
        cpu_ns.store(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64, Ordering::SeqCst);
    }
}

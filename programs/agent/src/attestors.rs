//! The workload attestors that the configuration asks for.

use std::sync::Arc;
use std::time::Duration;

use finial_attest::{SystemdAttestor, UnixAttestor, WorkloadAttestor, WorkloadAttestors};
use finial_daemon::Clock;
use finial_daemon::metrics::Metrics;
use finial_plugin_docker::DockerAttestor;
use finial_plugin_k8s::K8sAttestor;

use crate::Config;

/// How long one workload attestor may take for one process.
const LIMIT: Duration = Duration::from_secs(10);

/// What recognizes the processes that ask.
pub(crate) fn build(config: &Config, metrics: &Metrics, clock: &Clock) -> Arc<WorkloadAttestors> {
    let mut attestors: Vec<Arc<dyn WorkloadAttestor>> = Vec::new();
    let mut limit = LIMIT;
    if let Some(unix) = config.unix {
        attestors.push(Arc::new(UnixAttestor::new(unix, clock.clone())));
    }
    if config.systemd {
        attestors.push(Arc::new(SystemdAttestor::new(clock.clone())));
    }
    if let Some(docker) = &config.docker {
        attestors.push(Arc::new(DockerAttestor::new(docker.clone(), clock.clone())));
    }
    if let Some(k8s) = &config.k8s {
        // A container that has just begun is asked about until the kubelet reports it.
        limit = limit.max(k8s.patience() + LIMIT);
        attestors.push(Arc::new(K8sAttestor::new(k8s.clone(), clock.clone())));
    }
    Arc::new(WorkloadAttestors::new(attestors, limit, clock.clone()).measured(metrics))
}

//! The `k8s` attestor: what is asked about which container, how often, and what comes of it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use finial_attest::{AttestError, Container, PinnedProcess, WorkloadAttestor};
use finial_daemon::Clock;
use finial_identity::Selector;

use crate::config::K8sConfig;
use crate::error::{K8sError, Shared};
use crate::kubelet::Kubelet;
use crate::pods::{Found, Pods};
use crate::roster::Roster;

/// The type of the selectors.
pub(crate) const KIND: &str = "k8s";

/// Attests by what the kubelet knows about the pod and the container of a process.
///
/// Selectors: `k8s:ns:shop`, `k8s:sa:cart`, `k8s:node-name:…`, `k8s:pod-name:…`, `k8s:pod-uid:…`,
/// `k8s:pod-label:app:cart`, `k8s:pod-owner:ReplicaSet:cart-5d4`, `k8s:pod-owner-uid:ReplicaSet:…`, `k8s:pod-image:…`,
/// `k8s:pod-image-count:1`, `k8s:pod-init-image:…`, `k8s:pod-init-image-count:0`, `k8s:container-name:cart`,
/// `k8s:container-image:…`. A process in no container has none, and the kubelet is not asked about it.
pub struct K8sAttestor {
    config: K8sConfig,
    clock: Clock,
    roster: Roster,
}

impl K8sAttestor {
    /// An attestor with these settings. The kubelet need not be running yet, nor its credentials be there.
    pub fn new(config: K8sConfig, clock: Clock) -> Self {
        let kubelet = Kubelet::new(&config, clock.clone());
        Self { config, roster: Roster::new(kubelet, clock.clone()), clock }
    }

    /// The selectors of a container, however it came to be known; none for one that the kubelet does not answer for.
    ///
    /// # Errors
    /// [`AttestError::Plugin`] with a [`K8sError`](crate::K8sError) when the kubelet cannot be asked, or contradicts the
    /// kernel; when it does not report a container of a pod in time.
    pub async fn attest_container(&self, container: &Container) -> Result<Vec<Selector>, AttestError> {
        self.selectors(container).await.map_err(|error| AttestError::Plugin(Box::new(error)))
    }

    async fn selectors(&self, container: &Container) -> Result<Vec<Selector>, Shared> {
        let began = self.clock.monotonic();
        // Labels change, so that a list is not believed for long.
        let mut moment = began.saturating_sub(self.config.poll_retry_interval / 2);
        let mut attempts = 0;
        loop {
            let roll = self.roster.since(moment).await;
            if let Some(selectors) = self.decide(roll.pods()?, container)? {
                return Ok(selectors);
            }
            if roll.asked < began {
                // The list is older than the question: the container may have begun since.
                moment = began;
                continue;
            }
            let Some(pod) = &container.pod_uid else { return Ok(Vec::new()) };
            attempts += 1;
            if attempts >= self.config.max_poll_attempts {
                let (id, pod) = (container.id.clone(), pod.clone());
                return Err(Arc::new(K8sError::Unreported { id, pod, attempts }));
            }
            self.clock.sleep(self.config.poll_retry_interval).await;
            moment = self.clock.monotonic();
        }
    }

    /// The selectors, if the pods tell; `None` to ask again.
    fn decide(&self, pods: &Pods, container: &Container) -> Result<Option<Vec<Selector>>, K8sError> {
        Ok(match (pods.find(container)?, self.config.disable_container_selectors) {
            (Found::Container { of_pod, .. } | Found::Pod { of_pod }, true) => Some(of_pod),
            (Found::Container { mut of_pod, own }, false) => {
                of_pod.extend(own);
                Some(of_pod)
            }
            (Found::Ephemeral, _) => Some(Vec::new()),
            (Found::Pod { .. }, false) | (Found::Nowhere, _) => None,
        })
    }
}

#[async_trait]
impl WorkloadAttestor for K8sAttestor {
    fn kind(&self) -> &str {
        KIND
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        match Container::of(process)? {
            // In a user's slice control groups have whatever names that user gave them.
            Some(container) if container.owner.is_none() => self.attest_container(&container).await,
            _ => Ok(Vec::new()),
        }
    }
}

impl fmt::Debug for K8sAttestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("K8sAttestor").field("config", &self.config).finish_non_exhaustive()
    }
}

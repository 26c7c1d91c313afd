//! The pods of a node as the kubelet reports them, and the selectors they come to.

mod report;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use finial_attest::{Container, ContainerId, PodUid};
use finial_identity::Selector;

use self::report::{ContainerStatus, Pod, Report};
use crate::attestor::KIND;
use crate::error::K8sError;

/// The pods of a node and their containers.
#[derive(Default)]
pub(crate) struct Pods {
    pods: Vec<Known>,
    by_uid: HashMap<String, usize>,
    by_container: HashMap<ContainerId, Place>,
}

/// A pod, and what is known of it.
struct Known {
    uid: String,
    values: Values,
}

/// Where a container is.
enum Place {
    /// In the pod with this number; a debugging container has no selectors.
    In { pod: usize, values: Values, is_ephemeral: bool },
    /// In more than one.
    Ambiguous,
}

/// What the pods say about a container.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The pod's selectors, and the container's own.
    Container { of_pod: Vec<Selector>, own: Vec<Selector> },
    /// Its pod is there, and it is not reported in it yet.
    Pod { of_pod: Vec<Selector> },
    /// Somebody attached it to a pod to look into it: that gives it no identity.
    Ephemeral,
    /// Nothing.
    Nowhere,
}

impl Pods {
    /// Reads the kubelet's answer.
    ///
    /// # Errors
    /// When it is no list of pods.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let report: Report<'_> = serde_json::from_slice(body)?;
        let mut pods = Self::default();
        report.items.into_iter().for_each(|pod| pods.add(&pod));
        Ok(pods)
    }

    /// What is known about a container.
    ///
    /// # Errors
    /// [`K8sError::Ambiguous`] and [`K8sError::OtherPod`]: then nothing about it can be believed.
    pub(crate) fn find(&self, container: &Container) -> Result<Found, K8sError> {
        let id = || container.id.clone();
        match (self.by_container.get(&container.id), &container.pod_uid) {
            (Some(Place::Ambiguous), _) => Err(K8sError::Ambiguous { id: id() }),
            (Some(&Place::In { pod, .. }), Some(uid)) if self.pods[pod].uid != uid.as_str() => {
                Err(K8sError::OtherPod { id: id(), by_kernel: uid.clone() })
            }
            (Some(Place::In { is_ephemeral: true, .. }), _) => Ok(Found::Ephemeral),
            (Some(Place::In { pod, values, .. }), _) => {
                Ok(Found::Container { of_pod: self.pods[*pod].values.selectors(), own: values.selectors() })
            }
            (None, Some(uid)) => Ok(self.pod(uid)),
            (None, None) => Ok(Found::Nowhere),
        }
    }

    fn pod(&self, uid: &PodUid) -> Found {
        match self.by_uid.get(uid.as_str()) {
            Some(&pod) => Found::Pod { of_pod: self.pods[pod].values.selectors() },
            None => Found::Nowhere,
        }
    }

    fn add(&mut self, pod: &Pod<'_>) {
        let number = self.pods.len();
        self.pods.push(Known { uid: pod.metadata.uid.to_string(), values: of_pod(pod) });
        self.by_uid.insert(pod.metadata.uid.to_string(), number);
        let status = &pod.status;
        for container in status.container_statuses.iter().chain(&status.init_container_statuses) {
            self.place(container, number, of_container(container), false);
        }
        for container in &status.ephemeral_container_statuses {
            self.place(container, number, Values::default(), true);
        }
    }

    /// A container that was not started yet has no id.
    fn place(&mut self, container: &ContainerStatus<'_>, pod: usize, values: Values, is_ephemeral: bool) {
        let Some(id) = container.id() else { return };
        self.by_container.entry(id).and_modify(|place| *place = Place::Ambiguous).or_insert(Place::In {
            pod,
            values,
            is_ephemeral,
        });
    }
}

/// How many there are: what is in them does not belong in logs.
impl fmt::Debug for Pods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pods({})", self.pods.len())
    }
}

fn of_pod(pod: &Pod<'_>) -> Values {
    let (metadata, status) = (&pod.metadata, &pod.status);
    let mut values = Values::default();
    values.add(&["ns", &metadata.namespace]);
    values.add(&["sa", &pod.spec.service_account_name]);
    values.add(&["node-name", &pod.spec.node_name]);
    values.add(&["pod-name", &metadata.name]);
    values.add(&["pod-uid", &metadata.uid]);
    for (name, value) in &metadata.labels {
        values.add(&["pod-label", name, value]);
    }
    for owner in &metadata.owner_references {
        values.add(&["pod-owner", &owner.kind, &owner.name]);
        values.add(&["pod-owner-uid", &owner.kind, &owner.uid]);
    }
    values.add_images("pod-image", &status.container_statuses);
    values.add(&["pod-image-count", &status.container_statuses.len().to_string()]);
    values.add_images("pod-init-image", &status.init_container_statuses);
    values.add(&["pod-init-image-count", &status.init_container_statuses.len().to_string()]);
    values
}

fn of_container(container: &ContainerStatus<'_>) -> Values {
    let mut values = Values::default();
    values.add(&["container-name", &container.name]);
    values.add_images("container-image", std::slice::from_ref(container));
    values
}

/// The values of selectors, in one piece: a node has thousands of them, of which a caller is given twenty.
#[derive(Default)]
struct Values {
    text: String,
    ends: Vec<usize>,
}

impl Values {
    /// Adds `name:value`, or `name:key:value`; nothing that is empty: a pod of the node itself has no service account, a
    /// waiting container no image id.
    fn add(&mut self, parts: &[&str]) {
        if let [_, ""] = parts {
            return;
        }
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.text.push(':');
            }
            self.text.push_str(part);
        }
        self.ends.push(self.text.len());
    }

    /// Each image twice: as the pod names it, and by the digest that was started.
    fn add_images(&mut self, name: &str, containers: &[ContainerStatus<'_>]) {
        for container in containers {
            self.add(&[name, &container.image]);
            if container.image_id != container.image {
                self.add(&[name, &container.image_id]);
            }
        }
    }

    fn selectors(&self) -> Vec<Selector> {
        let starts = std::iter::once(&0).chain(&self.ends);
        let values = starts.zip(&self.ends).map(|(&start, &end)| &self.text[start..end]);
        // Has a type and, with the name, a value: never refused.
        values.filter_map(|value| Selector::new(KIND, value).ok()).collect()
    }
}

//! How container engines and kubelets name their control groups.
//!
//! | layout | path |
//! |---|---|
//! | Docker, cgroupfs | `/docker/<id>` |
//! | Docker, systemd | `/system.slice/docker-<id>.scope` |
//! | Podman | `/machine.slice/libpod-<id>.scope/container`, `/libpod_parent/libpod-<id>` |
//! | Podman of a user | `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-<id>.scope` |
//! | kubelet, cgroupfs | `/kubepods/burstable/pod<uid>/<id>` |
//! | kubelet, systemd | `/kubepods.slice/…/kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope`, `crio-<id>.scope` |
//! | containerd that does not know of systemd | `/system.slice/containerd.service/kubepods-burstable-pod<uid>.slice:cri-containerd:<id>` |
//! | seen from a control group namespace | `/../../kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope` |

use super::{ContainerId, PodUid};

/// What a path names, from its root on; each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) ids: Vec<ContainerId>,
    pub(super) pods: Vec<PodUid>,
    pub(super) owner: Option<u32>,
    pub(super) is_podman: bool,
}

impl Names {
    pub(super) fn of(path: &str) -> Self {
        let mut names = Self::default();
        for part in path.split(['/', ':']) {
            if let Some(pod) = pod_uid(part) {
                insert(&mut names.pods, pod);
            } else if let Some(id) = container_id(part) {
                insert(&mut names.ids, id);
            }
            names.owner = names.owner.or_else(|| owner(part));
            names.is_podman |= part == "libpod" || part.starts_with("libpod-");
        }
        names
    }

    /// Without the containers that hold the agent as well, unless nothing else is left: a workload may be in the very
    /// container of the agent.
    pub(super) fn inside(mut self, enclosing: &[ContainerId]) -> Self {
        while self.ids.len() > 1 && enclosing.contains(&self.ids[0]) {
            self.ids.remove(0);
        }
        self
    }

    pub(super) fn add(&mut self, other: Self) {
        other.ids.into_iter().for_each(|id| insert(&mut self.ids, id));
        other.pods.into_iter().for_each(|pod| insert(&mut self.pods, pod));
        self.owner = self.owner.or(other.owner);
        self.is_podman |= other.is_podman;
    }
}

fn insert<T: PartialEq>(set: &mut Vec<T>, item: T) {
    if !set.contains(&item) {
        set.push(item);
    }
}

/// `<id>`, `<engine>-<id>` or `<engine>-<id>.scope`. The process that watches a container (`crio-conmon-<id>.scope`)
/// is not in it; nor is a unit that does something about one (`<id>.service`).
fn container_id(part: &str) -> Option<ContainerId> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let (engine, id) = name.rsplit_once('-').unwrap_or(("", name));
    let is_outside = engine.split('-').any(|word| word == "conmon");
    ContainerId::parse(id).filter(|_| !is_outside)
}

/// `pod<uid>` or `kubepods-burstable-pod<uid>.slice`.
fn pod_uid(part: &str) -> Option<PodUid> {
    let name = part.strip_suffix(".slice").unwrap_or(part);
    let uid = name.strip_prefix("pod").or_else(|| name.rsplit_once("-pod").map(|(_, uid)| uid))?;
    PodUid::parse(uid)
}

/// `user-<uid>.slice`.
fn owner(part: &str) -> Option<u32> {
    part.strip_prefix("user-")?.strip_suffix(".slice")?.parse().ok()
}

pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

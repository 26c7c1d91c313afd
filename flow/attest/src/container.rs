//! The container that a process runs in, by what the kernel says about its control groups and, failing that, its mounts.

mod cgroup;
mod layout;
mod mountinfo;
#[cfg(test)]
mod tests;

use std::fmt;

use self::layout::Names;
use crate::{AttestError, PinnedProcess};

/// A container, as far as the kernel knows of it.
///
/// The kernel's word is worth as much as the names of the control groups. Whoever may create control groups below its
/// own can give them any name: a user in its own slice, a container that may write its control groups. So a path that
/// names two containers is refused, and the [owner](Self::owner) of a slice is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// The Kubernetes pod it is in. None outside Kubernetes, and also where the kernel shows the agent only a part of
    /// the path: for a container of the agent's own pod when the agent has a control group namespace of its own.
    pub pod_uid: Option<PodUid>,
    /// The user in whose slice (`user-1000.slice`) it runs. Then that user made it, and may have named it after any
    /// other: only what that user's own container engine says of it may be believed, and only of that user.
    pub owner: Option<u32>,
    /// Whether it is Podman's (`libpod`).
    pub is_podman: bool,
}

impl Container {
    /// The container of a process; none when it runs in none.
    ///
    /// Reads `/proc/<pid>/cgroup` (versions 1, 2 and both), then `/proc/<pid>/mountinfo`, which is believed only where
    /// the process is in the agent's own user namespace: in one of its own anybody can mount anything. Containers that
    /// hold the agent too (the node of a cluster inside Docker) do not count.
    ///
    /// Not remembered between calls: a process can be moved to another control group, and the files are short.
    ///
    /// # Errors
    /// [`AttestError::Container`] when the names contradict each other; as for [`PinnedProcess::read`] when nothing can
    /// be read.
    pub fn of(process: &PinnedProcess) -> Result<Option<Self>, AttestError> {
        let own = cgroup::own().map_err(|source| AttestError::OwnCgroup { source })?;
        let found = located(&process.read("cgroup")?, &own, || mounts_of(process))?;
        found.map_err(|problem| AttestError::Container { pid: process.pid(), problem })
    }

    /// The container of a process, by a rule of the caller's own that finds the id in the path of a control group.
    ///
    /// # Errors
    /// As for [`of`](Self::of), also when the rule finds different ids.
    pub fn matching(
        process: &PinnedProcess,
        rule: impl Fn(&str) -> Option<ContainerId>,
    ) -> Result<Option<Self>, AttestError> {
        let text = process.read("cgroup")?;
        let paths = cgroup::paths(&text);
        let found = agreed(
            paths.iter().map(|path| Names { ids: rule(path).into_iter().collect(), ..Names::of(path) }),
        );
        found.map_err(|problem| AttestError::Container { pid: process.pid(), problem })
    }
}

/// The mounts of a process, if they are worth something.
fn mounts_of(process: &PinnedProcess) -> Result<Option<Vec<u8>>, AttestError> {
    if process.shares_user_namespace() { process.read("mountinfo").map(Some) } else { Ok(None) }
}

/// A container, none, or what is contradictory.
type Located = Result<Option<Container>, String>;

/// The container that a `cgroup` file names; or else the mounts. `own` is the agent's own `cgroup` file.
fn located(
    cgroup: &[u8],
    own: &[u8],
    mounts: impl FnOnce() -> Result<Option<Vec<u8>>, AttestError>,
) -> Result<Located, AttestError> {
    let enclosing: Vec<ContainerId> =
        cgroup::paths(own).iter().flat_map(|path| Names::of(path).ids).collect();
    let by_cgroup = agreed(cgroup::paths(cgroup).iter().map(|path| Names::of(path).inside(&enclosing)));
    match by_cgroup {
        Ok(None) => Ok(mounts()?.map_or(Ok(None), |mounts| {
            let mounts = mountinfo::names(&mounts)?;
            agreed(mounts.into_iter().map(|names| names.inside(&enclosing)))
        })),
        decided => Ok(decided),
    }
}

/// The one container that all names agree on.
fn agreed(all: impl Iterator<Item = Names>) -> Located {
    let mut together = Names::default();
    for names in all.filter(|names| !names.ids.is_empty()) {
        together.add(names);
    }
    let Names { ids, pods, owner, is_podman } = together;
    let id = match ids.as_slice() {
        [] => return Ok(None),
        [id] => id.clone(),
        [one, other, ..] => return Err(format!("it is named both {one} and {other}")),
    };
    match pods.as_slice() {
        [] => Ok(Some(Container { id, pod_uid: None, owner, is_podman })),
        [pod] => Ok(Some(Container { id, pod_uid: Some(pod.clone()), owner, is_podman })),
        [one, other, ..] => Err(format!("its pod is named both {one} and {other}")),
    }
}

/// The id that a container engine gave a container: 64 lower-case hexadecimal digits, never given twice.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ContainerId(String);

impl ContainerId {
    /// None unless it is 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 64 && layout::is_hex(text)).then(|| Self(text.to_owned()))
    }

    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The UID of a Kubernetes pod, as the kubelet writes it: a UUID with hyphens, or, for a pod from a file on the node, 32
/// hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PodUid(String);

impl PodUid {
    /// None unless it is a UUID, with hyphens or (as in a systemd slice) underscores, or 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let uid = text.replace('_', "-");
        let groups: Vec<usize> = uid.split('-').map(str::len).collect();
        let is_uid = groups == [8, 4, 4, 4, 12] || groups == [32];
        (is_uid && uid.split('-').all(layout::is_hex)).then_some(Self(uid))
    }

    /// With hyphens.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PodUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PodUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

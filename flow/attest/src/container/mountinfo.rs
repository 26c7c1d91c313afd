//! The file `/proc/<pid>/mountinfo`: what is mounted into a container tells whose it is, where its control groups do not.

use super::ContainerId;
use super::layout::Names;

/// What the mounts name.
///
/// Two kinds tell: a mount of control groups, whose root is the path of the container's own; and the files that Docker
/// and Podman mount into each container from the folder of that container.
///
/// # Errors
/// When the process is in a pod, as only the kubelet's mounts tell: such files belong to the pod, not to the container.
pub(super) fn names(text: &[u8]) -> Result<Vec<Names>, String> {
    let text = String::from_utf8_lossy(text);
    let mounts: Vec<Mount<'_>> = text.lines().filter_map(Mount::parse).collect();
    let by_cgroup: Vec<Names> =
        mounts.iter().filter(|mount| mount.is_cgroup()).map(|mount| Names::of(mount.root)).collect();
    if by_cgroup.iter().any(|names| !names.ids.is_empty()) {
        return Ok(by_cgroup);
    }
    if mounts.iter().any(Mount::is_of_kubelet) {
        return Err("it is in a pod, but no control group names it".to_owned());
    }
    Ok(mounts.iter().filter_map(Mount::of_engine).collect())
}

/// One line: `36 35 98:0 <root> <point> <options> [<tag>…] - <kind> <source> <options>`. Spaces in a path are escaped.
#[derive(Debug)]
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (place, source) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        Some(Self { root: fields.next()?, point: fields.next()?, kind: source.split(' ').next()? })
    }

    fn is_cgroup(&self) -> bool {
        matches!(self.kind, "cgroup" | "cgroup2")
    }

    /// The kubelet mounts `…/pods/<uid>/etc-hosts` into each container of a pod.
    fn is_of_kubelet(&self) -> bool {
        self.point == "/etc/hosts" && self.root.ends_with("/etc-hosts") && self.root.contains("/pods/")
    }

    /// Docker mounts `…/containers/<id>/hostname`, Podman `…/<driver>-containers/<id>/userdata/hostname`.
    fn of_engine(&self) -> Option<Names> {
        let file = FILES.iter().find(|file| self.point.strip_prefix("/etc/") == Some(file))?;
        let folder = self.root.strip_suffix(file)?.strip_suffix('/')?;
        let (folder, is_podman) = match folder.strip_suffix("/userdata") {
            Some(folder) => (folder, true),
            None => (folder, false),
        };
        let (store, id) = folder.rsplit_once('/')?;
        let store = store.rsplit('/').next()?;
        if (is_podman && !store.ends_with("-containers")) || (!is_podman && store != "containers") {
            return None;
        }
        Some(Names { ids: vec![ContainerId::parse(id)?], is_podman, ..Names::default() })
    }
}

/// What an engine writes for each container.
const FILES: [&str; 3] = ["hostname", "hosts", "resolv.conf"];

//! Tests of the container locator: the documented layouts of container engines, line by line.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::testing::Peer;

const POD: &str = "2c48913c-b29f-11e7-9350-020968147796";

/// A container id that begins with this digit.
fn id(digit: char) -> String {
    format!("{digit}{}", "0123456789abcde".repeat(5)[..63].to_owned())
}

/// The path with `A`, `B` replaced by container ids, `POD` and `P_D` by a pod UID.
fn filled(path: &str) -> String {
    let path = path.replace("<A>", &id('a')).replace("<B>", &id('b'));
    path.replace("<POD>", POD).replace("<P_D>", &POD.replace('-', "_"))
}

fn by_cgroup(text: &str) -> Located {
    located(filled(text).as_bytes(), b"0::/\n", || Ok(None)).unwrap()
}

fn by_mounts(text: &str) -> Located {
    located(b"0::/\n", b"0::/\n", || Ok(Some(filled(text).into_bytes()))).unwrap()
}

fn container(digit: char) -> Container {
    let id = ContainerId::parse(&id(digit)).unwrap();
    Container { id, pod_uid: None, owner: None, is_podman: false }
}

fn in_pod() -> Container {
    Container { pod_uid: PodUid::parse(POD), ..container('a') }
}

fn of_podman() -> Container {
    Container { is_podman: true, ..container('a') }
}

#[test]
fn every_layout_is_understood() {
    let of_user = Container { owner: Some(1000), ..of_podman() };
    for (path, expected) in [
        ("/docker/<A>", container('a')),
        ("/system.slice/docker-<A>.scope", container('a')),
        ("/system.slice/docker-<A>.scope/init.scope", container('a')),
        ("/docker/<A>/system.slice/nginx.service", container('a')),
        ("/ecs/0123456789abcdef0123456789abcdef/<A>", container('a')),
        ("/default/<A>", container('a')),
        ("/system.slice/nerdctl-<A>.scope", container('a')),
        ("/../cri-containerd-<A>.scope", container('a')),
        ("/machine.slice/libpod-<A>.scope", of_podman()),
        ("/machine.slice/libpod-<A>.scope/container", of_podman()),
        ("/libpod_parent/libpod-<A>", of_podman()),
        ("/system.slice/web.service/libpod-payload-<A>", of_podman()),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-<A>.scope/container", of_user),
        ("/kubepods/besteffort/pod<POD>/<A>", in_pod()),
        ("/kubepods/pod<POD>/<A>", in_pod()),
        ("/kubepods.slice/kubepods-pod<P_D>.slice/docker-<A>.scope", in_pod()),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<P_D>.slice/cri-containerd-<A>.scope",
            in_pod(),
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod<P_D>.slice/crio-<A>.scope",
            in_pod(),
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod<P_D>.slice/crio-<A>.scope/container",
            in_pod(),
        ),
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort-pod<P_D>.slice/cri-containerd-<A>.scope",
            in_pod(),
        ),
        ("/system.slice/containerd.service/kubepods-burstable-pod<P_D>.slice:cri-containerd:<A>", in_pod()),
        ("/../../kubepods-besteffort-pod<P_D>.slice/cri-containerd-<A>.scope", in_pod()),
        ("/../../pod<POD>/<A>", in_pod()),
    ] {
        for line in ["0::", "4:memory:", "1:name=systemd:"] {
            assert_eq!(by_cgroup(&format!("{line}{path}\n")), Ok(Some(expected.clone())), "{line}{path}");
        }
    }
}

#[test]
fn process_outside_a_container_has_none() {
    for path in [
        "/",
        "",
        "/user.slice/user-1000.slice/session-2.scope",
        "/system.slice/docker.service",
        "/system.slice/containerd.service",
        "/machine.slice/libpod-conmon-<A>.scope",
        "/kubepods.slice/kubepods-pod<P_D>.slice/crio-conmon-<A>.scope",
        "/system.slice/<A>.service",
        "/kubepods/burstable/pod<POD>",
        "/process/96cbbb18ecd6685d0184e0911a396ca8",
        "/docker/<A>0",
        "/docker/<A> (deleted)",
    ] {
        assert_eq!(by_cgroup(&format!("0::{path}\n")), Ok(None), "{path}");
    }
    for text in ["", "\n", "0", "0::", "garbage", ":::", "\u{fffd}"] {
        assert_eq!(by_cgroup(text), Ok(None), "{text}");
    }
    let upper = filled("0::/docker/<A>").to_ascii_uppercase();
    assert_eq!(by_cgroup(&upper), Ok(None), "engines write lower case");
}

#[test]
fn hierarchies_that_agree_are_one_container() {
    let hybrid = "12:pids:/docker/<A>\n5:cpu,cpuacct:/docker/<A>\n1:name=systemd:/docker/<A>\n0::/system.slice/containerd.service\n";
    assert_eq!(by_cgroup(hybrid), Ok(Some(container('a'))));
    let with_pod = "3:cpu:/kubepods/pod<POD>/<A>\n0::/../<A>\n";
    assert_eq!(by_cgroup(with_pod), Ok(Some(in_pod())));
}

#[test]
fn different_ids_are_refused_and_both_named() {
    for text in [
        "3:cpu:/docker/<A>\n2:memory:/docker/<B>\n",
        "0::/docker/<A>/docker/<B>\n",
        "0::/machine.slice/libpod-<A>.scope/machine.slice/libpod-<B>.scope\n",
        "0::/docker/<A>/kubepods/pod<POD>/<B>\n",
        "0::/kubepods/pod<POD>/<A>/docker/<B>\n",
    ] {
        let problem = by_cgroup(text).unwrap_err();
        assert_eq!(problem, format!("it is named both {} and {}", id('a'), id('b')), "{text}");
    }
}

#[test]
fn different_pods_are_refused_and_both_named() {
    let other = "00000000-b29f-11e7-9350-020968147796";
    let text = format!("3:cpu:/kubepods/pod{POD}/<A>\n2:memory:/kubepods/pod{other}/<A>\n");
    assert_eq!(by_cgroup(&text), Err(format!("its pod is named both {POD} and {other}")));
}

#[test]
fn container_that_holds_the_agent_too_does_not_count() {
    let own =
        filled("0::/docker/<B>/kubelet/kubepods/besteffort/pod00000000-b29f-11e7-9350-020968147796/agent\n");
    let text = filled("0::/docker/<B>/kubelet/kubepods/burstable/pod<POD>/<A>\n");
    assert_eq!(located(text.as_bytes(), own.as_bytes(), || Ok(None)).unwrap(), Ok(Some(in_pod())));
    let beside = filled("0::/docker/<B>\n");
    let found = located(beside.as_bytes(), own.as_bytes(), || Ok(None)).unwrap();
    assert_eq!(found, Ok(Some(container('b'))), "a workload in the container of the agent");
}

#[test]
fn mounts_are_asked_only_when_control_groups_say_nothing() {
    let asked = || -> Result<Option<Vec<u8>>, AttestError> { panic!("asked") };
    assert_eq!(located(filled("0::/docker/<A>").as_bytes(), b"", asked).unwrap(), Ok(Some(container('a'))));
}

#[test]
fn mounts_name_the_container() {
    let rest = "rw,relatime master:1 - ext4 /dev/vda1 rw";
    for (mounts, expected) in [
        (format!("1 2 8:1 /var/lib/docker/containers/<A>/hostname /etc/hostname {rest}"), container('a')),
        (format!("1 2 8:1 /containers/<A>/resolv.conf /etc/resolv.conf {rest}"), container('a')),
        (
            format!(
                "1 2 8:1 /run/containers/storage/overlay-containers/<A>/userdata/hosts /etc/hosts {rest}"
            ),
            of_podman(),
        ),
        (format!("1 2 8:1 /run/vfs-containers/<A>/userdata/hostname /etc/hostname {rest}"), of_podman()),
        (
            "1 2 0:30 /docker/<A> /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory".to_owned(),
            container('a'),
        ),
        (
            "1 2 0:30 /kubepods/pod<POD>/<A> /sys/fs/cgroup ro shared:4 - cgroup2 cgroup rw".to_owned(),
            in_pod(),
        ),
    ] {
        assert_eq!(
            by_mounts(&format!("9 9 0:1 / / rw - overlay overlay rw\n{mounts}\n")),
            Ok(Some(expected)),
            "{mounts}"
        );
    }
}

#[test]
fn mounts_that_anybody_may_have_name_nothing() {
    for mount in [
        "1 2 8:1 / / rw - ext4 /dev/vda1 rw",
        "1 2 8:1 /var/lib/docker/containers /logs rw - ext4 /dev/vda1 rw",
        "1 2 8:1 /var/lib/docker/containers/<A>/hostname /logs/hostname rw - ext4 /dev/vda1 rw",
        "1 2 8:1 /var/lib/docker/volumes/<A>/hostname /etc/hostname rw - ext4 /dev/vda1 rw",
        "1 2 8:1 /containers/<A>/hosts /etc/hostname rw - ext4 /dev/vda1 rw",
        "1 2 8:1 /containers/<A>/userdata/hostname /etc/hostname rw - ext4 /dev/vda1 rw",
        "1 2 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup rw",
        "1 2 8:1 /containers/<A>/hostname",
        "",
        " - ",
    ] {
        assert_eq!(by_mounts(mount), Ok(None), "{mount}");
    }
}

#[test]
fn container_of_a_pod_is_not_guessed_from_the_files_of_its_pod() {
    let mounts = "1 2 8:1 /var/lib/kubelet/pods/<POD>/etc-hosts /etc/hosts rw - ext4 /dev/vda1 rw\n\
                  1 2 8:1 /var/lib/docker/containers/<A>/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n";
    assert_eq!(by_mounts(mounts), Err("it is in a pod, but no control group names it".to_owned()));
}

#[test]
fn rule_of_the_callers_own_finds_the_id() {
    let peer = Peer::connect();
    let found = Container::matching(&peer.pin(), |_| ContainerId::parse(&id('a'))).unwrap().unwrap();
    assert_eq!(found.id.as_str(), id('a'));
    assert_eq!(Container::matching(&peer.pin(), |_| None).unwrap(), None);
}

#[test]
fn only_full_ids_are_ids() {
    assert!(ContainerId::parse(&id('a')).is_some());
    for bad in ["", "a", &id('A'), &id('g'), &id('a')[..63], &format!("{}0", id('a')), &"é".repeat(32)] {
        assert_eq!(ContainerId::parse(bad), None, "{bad}");
    }
}

#[test]
fn pod_uid_is_written_with_hyphens() {
    assert_eq!(PodUid::parse(&POD.replace('-', "_")).unwrap().as_str(), POD);
    let of_a_file = "0123456789abcdef0123456789abcdef";
    assert_eq!(PodUid::parse(of_a_file).unwrap().as_str(), of_a_file);
    for bad in [
        "",
        "x",
        "2c48913c-b29f-11e7-9350",
        "2c48913cb29f-11e7-9350-020968147796aaaa",
        &POD.replace('2', "g"),
    ] {
        assert_eq!(PodUid::parse(bad), None, "{bad}");
    }
}

#[test]
fn mounts_are_not_believed_in_a_user_namespace_of_ones_own() {
    assert!(mounts_of(&Peer::connect().pin()).unwrap().is_some());
    // Where there are no user namespaces there is nothing to be afraid of.
    if let Some(peer) = Peer::connect_in_user_namespace() {
        assert_eq!(mounts_of(&peer.pin()).unwrap(), None);
    }
}

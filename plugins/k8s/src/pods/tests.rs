//! Tests of what is read of lists of pods.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};

use super::*;

const POD: &str = "2c48913c-b29f-11e7-9350-020968147796";

/// A container id that begins with this digit.
fn id(digit: char) -> String {
    format!("{digit}{}", "0123456789abcde".repeat(5)[..63].to_owned())
}

fn container(digit: char) -> Container {
    let id = ContainerId::parse(&id(digit)).unwrap();
    Container { id, pod_uid: PodUid::parse(POD), owner: None, is_podman: false }
}

fn started(name: &str, digit: char) -> Value {
    json!({
        "name": name,
        "image": format!("registry.local/{name}:1"),
        "imageID": format!("registry.local/{name}@sha256:{}", id(digit)),
        "containerID": format!("containerd://{}", id(digit)),
        "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } },
        "ready": true,
    })
}

fn pod() -> Value {
    json!({
        "metadata": {
            "name": "cart-5d4-x", "namespace": "shop", "uid": POD,
            "labels": { "app": "cart", "pod-template-hash": "5d4", "über": "größe" },
            "annotations": { "secret": "kept out" },
            "ownerReferences": [
                { "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-5d4", "uid": "u-1", "controller": true },
            ],
        },
        "spec": {
            "serviceAccountName": "cart", "nodeName": "node-1",
            "containers": [{ "name": "cart", "image": "cart:1", "env": [{ "name": "A", "value": "b" }] }],
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [started("cart", 'a'), started("proxy", 'b')],
            "initContainerStatuses": [started("init", 'c')],
            "ephemeralContainerStatuses": [started("debug", 'd')],
        },
    })
}

fn list(pods: &[Value]) -> Pods {
    let body = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods });
    Pods::parse(body.to_string().as_bytes()).unwrap()
}

fn texts(selectors: &[Selector]) -> Vec<String> {
    let mut texts: Vec<_> = selectors.iter().map(|it| it.to_string().replace(&id('a')[1..], "…")).collect();
    texts.sort();
    texts
}

fn of_pod(pods: &Pods, digit: char) -> Vec<String> {
    match pods.find(&container(digit)).unwrap() {
        Found::Container { of_pod, .. } | Found::Pod { of_pod } => texts(&of_pod),
        other => panic!("{other:?}"),
    }
}

fn own(pods: &Pods, digit: char) -> Vec<String> {
    match pods.find(&container(digit)).unwrap() {
        Found::Container { own, .. } => texts(&own),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_selector_of_a_pod_is_found() {
    assert_eq!(
        of_pod(&list(&[pod()]), 'a'),
        [
            "k8s:node-name:node-1",
            "k8s:ns:shop",
            "k8s:pod-image-count:2",
            "k8s:pod-image:registry.local/cart:1",
            "k8s:pod-image:registry.local/cart@sha256:a…",
            "k8s:pod-image:registry.local/proxy:1",
            "k8s:pod-image:registry.local/proxy@sha256:b…",
            "k8s:pod-init-image-count:1",
            "k8s:pod-init-image:registry.local/init:1",
            "k8s:pod-init-image:registry.local/init@sha256:c…",
            "k8s:pod-label:app:cart",
            "k8s:pod-label:pod-template-hash:5d4",
            "k8s:pod-label:über:größe",
            "k8s:pod-name:cart-5d4-x",
            "k8s:pod-owner-uid:ReplicaSet:u-1",
            "k8s:pod-owner:ReplicaSet:cart-5d4",
            &format!("k8s:pod-uid:{POD}"),
            "k8s:sa:cart",
        ]
    );
}

#[test]
fn container_and_init_container_have_selectors_of_their_own() {
    let pods = list(&[pod()]);
    for (digit, name) in [('a', "cart"), ('b', "proxy"), ('c', "init")] {
        let image = format!("k8s:container-image:registry.local/{name}");
        let expected =
            [format!("{image}:1"), format!("{image}@sha256:{digit}…"), format!("k8s:container-name:{name}")];
        assert_eq!(own(&pods, digit), expected);
    }
}

#[test]
fn debugging_container_has_no_selectors() {
    assert_eq!(list(&[pod()]).find(&container('d')).unwrap(), Found::Ephemeral);
}

#[test]
fn container_that_was_not_started_is_not_there_yet() {
    let mut pod = pod();
    for (pointer, value) in [
        ("/status/containerStatuses/0/containerID", json!("")),
        ("/status/containerStatuses/0", json!({ "name": "cart", "image": "cart:1", "imageID": "" })),
        ("/status/containerStatuses", json!([])),
        ("/status/containerStatuses", Value::Null),
        ("/status", json!({ "phase": "Pending" })),
        ("/status", Value::Null),
    ] {
        *pod.pointer_mut(pointer).unwrap() = value;
        let pods = list(&[pod.clone()]);
        assert!(matches!(pods.find(&container('a')), Ok(Found::Pod { .. })), "{pointer}");
    }
    assert!(of_pod(&list(&[pod]), 'a').contains(&"k8s:pod-image-count:0".to_owned()));
}

#[test]
fn what_a_pod_does_not_have_is_no_selector() {
    let bare =
        json!({ "metadata": { "name": "etcd", "namespace": "kube-system", "uid": POD, "labels": null } });
    assert_eq!(
        of_pod(&list(&[bare]), 'a'),
        [
            "k8s:ns:kube-system",
            "k8s:pod-image-count:0",
            "k8s:pod-init-image-count:0",
            "k8s:pod-name:etcd",
            &format!("k8s:pod-uid:{POD}"),
        ]
    );
}

#[test]
fn every_runtime_is_understood_and_nothing_else_is_an_id() {
    for (text, is_id) in [
        (format!("docker://{}", id('a')), true),
        (format!("cri-o://{}", id('a')), true),
        (id('a'), false),
        (format!("containerd://{}", &id('a')[1..]), false),
        (format!("containerd://{}/x", id('a')), false),
        ("containerd://".to_owned(), false),
    ] {
        let mut pod = pod();
        pod["status"]["containerStatuses"][0]["containerID"] = json!(text);
        let found = list(&[pod]).find(&container('a')).unwrap();
        assert_eq!(matches!(found, Found::Container { .. }), is_id, "{text}");
    }
}

#[test]
fn container_is_found_without_the_uid_of_its_pod() {
    let of_agents_own = Container { pod_uid: None, ..container('a') };
    assert!(matches!(list(&[pod()]).find(&of_agents_own), Ok(Found::Container { .. })));
    let elsewhere = Container { pod_uid: None, ..container('e') };
    assert_eq!(list(&[pod()]).find(&elsewhere).unwrap(), Found::Nowhere);
}

#[test]
fn container_of_another_pod_than_the_kernel_says_is_refused() {
    let mut pod = pod();
    pod["metadata"]["uid"] = json!("00000000-b29f-11e7-9350-020968147796");
    let refused = list(&[pod]).find(&container('a')).unwrap_err();
    assert!(matches!(refused, K8sError::OtherPod { .. }), "{refused}");
}

#[test]
fn container_that_is_reported_twice_is_refused() {
    let mut other = pod();
    other["metadata"]["uid"] = json!("00000000-b29f-11e7-9350-020968147796");
    let mut same = pod();
    same["status"]["initContainerStatuses"][0] = started("again", 'a');
    for pods in [list(&[pod(), other]), list(&[same])] {
        let refused = pods.find(&container('a')).unwrap_err();
        assert!(matches!(refused, K8sError::Ambiguous { .. }), "{refused}");
    }
}

#[test]
fn list_without_pods_is_empty() {
    for body in [r#"{"items":null}"#, r#"{"items":[]}"#] {
        assert_eq!(Pods::parse(body.as_bytes()).unwrap().find(&container('a')).unwrap(), Found::Nowhere);
    }
}

#[test]
fn what_is_no_list_of_pods_is_refused() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"items":{}}"#,
        r#"{"items":[{}]}"#,
        r#"{"items":[{"metadata":{"name":"a","namespace":"b"}}]}"#,
        r#"{"items":[{"metadata":{"name":1,"namespace":"b","uid":"c"}}]}"#,
        r#"{"items":[{"metadata":{"name":"a","namespace":"b","uid":"c","labels":{"a":1}}}]}"#,
        r#"{"items":[{"metadata":{"name":"a","namespace":"b","uid":"c","uid":"d"}}]}"#,
        r#"{"items":[]} {}"#,
        "{\"items\":[{\"metadata\":{\"name\":\"\u{0}\"}}]}",
    ] {
        assert!(Pods::parse(body.as_bytes()).is_err(), "{body}");
    }
    assert!(
        Pods::parse(b"{\"items\":[],\"x\":\"\xff\"}").is_ok_and(|pods| pods.pods.is_empty()),
        "passed over"
    );
}

#[test]
fn what_is_passed_over_may_be_deep() {
    let deep = format!(r#"{{"x":{}{},"items":[]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(Pods::parse(deep.as_bytes()).is_ok());
}

#[test]
fn thousands_of_pods_are_read() {
    let pods: Vec<_> = (0..2_000)
        .map(|number| {
            let mut pod = pod();
            pod["metadata"]["uid"] = json!(format!("{number:08}-b29f-11e7-9350-020968147796"));
            pod["status"] = json!({ "containerStatuses": [{
                "name": "a", "containerID": format!("containerd://{number:064}"),
            }] });
            pod
        })
        .collect();
    let pods = list(&pods);
    let last = Container {
        id: ContainerId::parse(&format!("{:064}", 1_999)).unwrap(),
        pod_uid: None,
        ..container('a')
    };
    assert!(matches!(pods.find(&last), Ok(Found::Container { .. })));
}

//! The kubelet's list of pods, as far as it is needed. Everything else is passed over without being kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use finial_attest::ContainerId;
use serde::{Deserialize, Deserializer};

/// The answer to `GET /pods`: a `v1.PodList`. It names no labels or images in logs: there is no `Debug`.
#[derive(Deserialize)]
pub(super) struct Report<'a> {
    /// Go writes `null` for a list that was never filled.
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) items: Vec<Pod<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Pod<'a> {
    #[serde(borrow)]
    pub(super) metadata: Metadata<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) spec: Spec<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) status: Status<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) namespace: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) uid: Cow<'a, str>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) owner_references: Vec<Owner<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Owner<'a> {
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) uid: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    #[serde(borrow, default)]
    pub(super) service_account_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) node_name: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) container_statuses: Vec<ContainerStatus<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) init_container_statuses: Vec<ContainerStatus<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) ephemeral_container_statuses: Vec<ContainerStatus<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ContainerStatus<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) image: Cow<'a, str>,
    #[serde(borrow, default, rename = "imageID")]
    pub(super) image_id: Cow<'a, str>,
    #[serde(borrow, default, rename = "containerID")]
    container_id: Cow<'a, str>,
}

impl ContainerStatus<'_> {
    /// What follows the runtime in `containerd://<id>`; none before the container was started.
    pub(super) fn id(&self) -> Option<ContainerId> {
        ContainerId::parse(self.container_id.split_once("://")?.1)
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

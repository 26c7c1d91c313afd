//! The Secret Discovery Service as an Envoy sees it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use prost::Message;
use tonic::{Code, Extensions, Status};

use super::{Messages, SecretApi, secret_service};
use crate::harness::{Ca, served};
use crate::proto::discovery::*;
use crate::proto::envoy_tls as tls;
use crate::proto::rpc;
use crate::proto::secrets::secret_discovery_service_client::SecretDiscoveryServiceClient as Stub;
use crate::{
    MAX_SECRET_NAMES, MAX_SECRET_REQUEST_BYTES, Secret, SecretContent, SecretDelta, SecretDeltaRequest,
    SecretRequest, SecretUpdate,
};

/// Answers each request with the bundle of `example.org` under the names that it heard.
struct Echo(Ca);

impl Echo {
    fn secret(ca: &Ca, name: String) -> Secret {
        let content = SecretContent::Spiffe(vec![Arc::new(ca.bundle())]);
        Secret { name, version: "v1".to_owned(), content }
    }
}

#[async_trait]
impl SecretApi for Echo {
    async fn stream(
        &self,
        _: &Extensions,
        requests: Messages<SecretRequest>,
    ) -> Result<Messages<SecretUpdate>, Status> {
        let ca = Ca::new("example.org");
        let answer = move |request: Result<SecretRequest, Status>| {
            let request = request?;
            let heard = [request.version, request.nonce, request.rejection.unwrap_or_default()];
            let names = request.names.into_iter().chain(heard);
            let secrets = names.map(|name| Echo::secret(&ca, name)).collect();
            Ok(SecretUpdate { version: "7".to_owned(), secrets })
        };
        Ok(requests.map(answer).boxed())
    }

    async fn delta(
        &self,
        _: &Extensions,
        requests: Messages<SecretDeltaRequest>,
    ) -> Result<Messages<SecretDelta>, Status> {
        let ca = Ca::new("example.org");
        let answer = move |request: Result<SecretDeltaRequest, Status>| {
            let request = request?;
            let held = request.held.into_iter().map(|(name, version)| format!("{name}={version}"));
            let names = request.subscribe.into_iter().chain(held);
            let secrets = names.map(|name| Echo::secret(&ca, name)).collect();
            Ok(SecretDelta { version: "7".to_owned(), secrets, removed: request.unsubscribe })
        };
        Ok(requests.map(answer).boxed())
    }

    async fn fetch(&self, _: &Extensions, request: SecretRequest) -> Result<SecretUpdate, Status> {
        let secrets = request.names.into_iter().map(|name| Echo::secret(&self.0, name)).collect();
        Ok(SecretUpdate { version: "1".to_owned(), secrets })
    }
}

fn echo() -> Arc<Echo> {
    Arc::new(Echo(Ca::new("example.org")))
}

fn names(response: &DiscoveryResponse) -> Vec<String> {
    let secret = |any: &prost_types::Any| tls::Secret::decode(any.value.as_slice()).unwrap().name;
    response.resources.iter().map(secret).collect()
}

fn asking(names: &[&str]) -> DiscoveryRequest {
    DiscoveryRequest { resource_names: names.iter().map(ToString::to_string).collect(), ..Default::default() }
}

#[tokio::test]
async fn state_of_the_world_goes_there_and_back() {
    served(secret_service(echo()), async |channel| {
        let refused = DiscoveryRequest {
            version_info: "3".to_owned(),
            response_nonce: "4".to_owned(),
            error_detail: Some(rpc::Status { message: "no PEM".to_owned(), ..Default::default() }),
            ..asking(&["default"])
        };
        let answer = Stub::new(channel).stream_secrets(stream::iter([refused])).await.unwrap();
        let answer = answer.into_inner().message().await.unwrap().unwrap();
        assert_eq!(names(&answer), ["default", "3", "4", "no PEM"]);
        assert_eq!((answer.version_info.as_str(), answer.nonce.as_str()), ("7", "7"));
        assert!(answer.resources.iter().all(|any| any.type_url == answer.type_url));
    })
    .await;
}

#[tokio::test]
async fn delta_goes_there_and_back() {
    served(secret_service(echo()), async |channel| {
        let request = DeltaDiscoveryRequest {
            resource_names_subscribe: vec!["default".to_owned()],
            resource_names_unsubscribe: vec!["gone".to_owned()],
            initial_resource_versions: BTreeMap::from([("ROOTCA".to_owned(), "v0".to_owned())]),
            ..Default::default()
        };
        let answer = Stub::new(channel).delta_secrets(stream::iter([request])).await.unwrap();
        let answer = answer.into_inner().message().await.unwrap().unwrap();
        let sent: Vec<_> =
            answer.resources.iter().map(|it| (it.name.as_str(), it.version.as_str())).collect();
        assert_eq!(sent, [("default", "v1"), ("ROOTCA=v0", "v1")]);
        assert_eq!(answer.removed_resources, ["gone"]);
    })
    .await;
}

#[tokio::test]
async fn fetch_answers_once() {
    served(secret_service(echo()), async |channel| {
        let answer = Stub::new(channel).fetch_secrets(asking(&["ROOTCA"])).await.unwrap().into_inner();
        assert_eq!(names(&answer), ["ROOTCA"]);
    })
    .await;
}

#[tokio::test]
async fn resources_of_another_type_are_refused_by_name() {
    served(secret_service(echo()), async |channel| {
        let request = DiscoveryRequest { type_url: "type.googleapis.com/x".to_owned(), ..asking(&[]) };
        let error = Stub::new(channel).fetch_secrets(request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains("`type.googleapis.com/x`"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn too_many_names_and_too_long_requests_are_refused() {
    served(secret_service(echo()), async |channel| {
        let mut stub = Stub::new(channel);
        let error = stub.fetch_secrets(asking(&vec!["x"; MAX_SECRET_NAMES + 1])).await.unwrap_err();
        assert!(error.message().contains("257 secret names"), "{error}");
        let long = "x".repeat(MAX_SECRET_REQUEST_BYTES);
        let error = stub.fetch_secrets(asking(&[&long])).await.unwrap_err();
        assert!(error.message().contains("1048576"), "{error}");
    })
    .await;
}

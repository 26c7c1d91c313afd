//! The Workload API from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use async_trait::async_trait;
use finial_identity::{Audience, BundleSet, JwtSvid, SpiffeId};
use futures_util::stream::{self, BoxStream, StreamExt};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Extensions, Request, Status};

use super::{WorkloadApi, workload_service};
use crate::X509Context;
use crate::client::WorkloadClient;
use crate::harness::{Ca, id, jwt_svid, served, shared, trust_domain};
use crate::proto::workload::spiffe_workload_api_client::SpiffeWorkloadApiClient as Stub;
use crate::proto::workload::*;

/// An agent for one workload, whose identity changes once and then ends.
struct Fake {
    contexts: Vec<X509Context>,
    tokens: Vec<JwtSvid>,
}

impl Fake {
    fn new() -> Self {
        let (own, other) = (Ca::new("example.org"), Ca::new("other.test"));
        let context = |path: &str, bundles| X509Context {
            credentials: vec![own.credential(path, "")],
            bundles,
            trust_domain: trust_domain(),
        };
        let both = shared([own.bundle(), other.bundle()]).into_iter().collect();
        let alone = shared([own.bundle()]).into_iter().collect();
        let contexts = vec![context("/one", both), context("/two", alone)];
        Self { contexts, tokens: vec![jwt_svid("/one", &["db"]).with_hint("internal")] }
    }

    fn updates<T: Clone + Send + 'static>(items: Vec<T>) -> BoxStream<'static, Result<T, Status>> {
        let end = [Err(Status::permission_denied("no identity issued"))];
        stream::iter(items.into_iter().map(Ok).chain(end)).boxed()
    }

    fn bundles(&self) -> Vec<BundleSet> {
        self.contexts.iter().map(|context| context.bundles.clone()).collect()
    }
}

#[async_trait]
impl WorkloadApi for Fake {
    async fn x509_svids(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<X509Context, Status>>, Status> {
        Ok(Self::updates(self.contexts.clone()))
    }

    async fn x509_bundles(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        Ok(Self::updates(self.bundles()))
    }

    async fn jwt_bundles(
        &self,
        _: &Extensions,
    ) -> Result<BoxStream<'static, Result<BundleSet, Status>>, Status> {
        let empty = finial_identity::Bundle::empty(trust_domain());
        Ok(Self::updates(vec![shared([empty]).into_iter().collect()]))
    }

    async fn jwt_svids(
        &self,
        _: &Extensions,
        audience: Audience,
        id: Option<SpiffeId>,
    ) -> Result<Vec<JwtSvid>, Status> {
        assert_eq!(audience.iter().collect::<Vec<_>>(), ["db"]);
        Ok(self.tokens.iter().filter(|svid| id.as_ref().is_none_or(|id| id == svid.id())).cloned().collect())
    }

    async fn validate_jwt_svid(
        &self,
        _: &Extensions,
        audience: String,
        token: String,
    ) -> Result<JwtSvid, Status> {
        let known = self.tokens.iter().find(|svid| svid.token() == token && audience == "db").cloned();
        known.ok_or_else(|| Status::invalid_argument("jwt-svid is not meant for this audience"))
    }
}

#[tokio::test]
async fn every_change_is_pushed_and_the_end_told() {
    let fake = Fake::new();
    let contexts = fake.contexts.clone();
    served(workload_service(Arc::new(fake)), async |channel| {
        let client = WorkloadClient::new(channel);
        let mut updates = client.x509_svids().await.unwrap();
        for expected in &contexts {
            let got = updates.next().await.unwrap().unwrap();
            assert_eq!(got.credentials[0].svid().id(), expected.credentials[0].svid().id());
            assert_eq!(got.bundles, expected.bundles);
        }
        assert_eq!(updates.next().await.unwrap().unwrap_err().code(), Code::PermissionDenied);
        let mut bundles = client.x509_bundles().await.unwrap();
        assert_eq!(bundles.next().await.unwrap().unwrap(), contexts[0].bundles);
        let mut bundles = client.jwt_bundles().await.unwrap();
        assert!(bundles.next().await.unwrap().unwrap().bundle(&trust_domain()).is_some());
    })
    .await;
}

#[tokio::test]
async fn jwt_svids_are_for_all_or_one_identity() {
    served(workload_service(Arc::new(Fake::new())), async |channel| {
        let client = WorkloadClient::new(channel);
        let audience = Audience::new(["db"]).unwrap();
        let all = client.jwt_svids(&audience, None).await.unwrap();
        assert_eq!((all.len(), all[0].hint()), (1, "internal"));
        assert_eq!(client.jwt_svids(&audience, Some(&id("/one"))).await.unwrap(), all);
        let error = client.jwt_svids(&audience, Some(&id("/other"))).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::PermissionDenied, "no identity issued"));
    })
    .await;
}

#[tokio::test]
async fn validation_answers_with_id_and_claims() {
    let fake = Fake::new();
    let token = fake.tokens[0].token().to_owned();
    served(workload_service(Arc::new(fake)), async |channel| {
        let client = WorkloadClient::new(channel.clone());
        assert_eq!(client.validate_jwt_svid("db", token.as_str()).await.unwrap().id(), &id("/one"));
        let error = client.validate_jwt_svid("web", token.as_str()).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        let request = ValidateJwtsvidRequest { audience: "db".to_owned(), svid: token.clone() };
        let answer = Stub::new(channel).validate_jwtsvid(with_header(request)).await.unwrap().into_inner();
        assert_eq!(answer.spiffe_id, "spiffe://example.org/one");
        let claims = answer.claims.unwrap().fields;
        assert!(matches!(claims["aud"].kind, Some(prost_types::value::Kind::ListValue(_))));
        assert!(claims.contains_key("sub") && claims.contains_key("exp"));
    })
    .await;
}

#[tokio::test]
async fn wap_09_empty_mandatory_fields_are_refused() {
    served(workload_service(Arc::new(Fake::new())), async |channel| {
        let mut stub = Stub::new(channel);
        let validate = |audience: &str, svid: &str| {
            with_header(ValidateJwtsvidRequest { audience: audience.to_owned(), svid: svid.to_owned() })
        };
        let fetch = |audience: &[&str], id: &str| {
            let audience = audience.iter().map(ToString::to_string).collect();
            with_header(JwtsvidRequest { audience, spiffe_id: id.to_owned() })
        };
        for refused in [
            stub.validate_jwtsvid(validate("", "token")).await.map(drop),
            stub.validate_jwtsvid(validate("db", "")).await.map(drop),
            stub.fetch_jwtsvid(fetch(&[], "")).await.map(drop),
            stub.fetch_jwtsvid(fetch(&[""], "")).await.map(drop),
            stub.fetch_jwtsvid(fetch(&["db"], "not an id")).await.map(drop),
        ] {
            assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
        }
    })
    .await;
}

fn with_header<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("workload.spiffe.io", AsciiMetadataValue::from_static("true"));
    request
}

/// The same request without the header, with a wrong one, and with two.
fn wrong_headers<T: Default>() -> Vec<Request<T>> {
    let values: [&[&'static str]; 6] =
        [&[], &[""], &["True"], &["false"], &["true", "true"], &["true", "false"]];
    let request = |values: &&[&'static str]| {
        let mut request = Request::new(T::default());
        for value in *values {
            request.metadata_mut().append("workload.spiffe.io", AsciiMetadataValue::from_static(value));
        }
        request
    };
    values.iter().map(request).collect()
}

fn refused<T>(outcome: Result<T, Status>) {
    let error = outcome.err().expect("refused");
    assert_eq!(
        (error.code(), error.message()),
        (Code::InvalidArgument, "security header missing from request")
    );
}

#[tokio::test]
async fn wep_04_each_rpc_needs_exactly_one_security_header() {
    served(workload_service(Arc::new(Fake::new())), async |channel| {
        let mut stub = Stub::new(channel);
        for request in wrong_headers() {
            refused(stub.fetch_x509svid(request).await);
        }
        for request in wrong_headers() {
            refused(stub.fetch_x509_bundles(request).await);
        }
        for request in wrong_headers() {
            refused(stub.fetch_jwtsvid(request).await);
        }
        for request in wrong_headers() {
            refused(stub.fetch_jwt_bundles(request).await);
        }
        for request in wrong_headers() {
            refused(stub.validate_jwtsvid(request).await);
        }
        for request in wrong_headers() {
            refused(stub.fetch_witsvid(request).await);
        }
        for request in wrong_headers() {
            refused(stub.fetch_wit_bundles(request).await);
        }
    })
    .await;
}

#[tokio::test]
async fn wap_23_wit_is_unimplemented() {
    served(workload_service(Arc::new(Fake::new())), async |channel| {
        let mut stub = Stub::new(channel);
        let svid = stub.fetch_witsvid(with_header(WitsvidRequest::default())).await.unwrap_err();
        let bundles = stub.fetch_wit_bundles(with_header(WitBundlesRequest {})).await.unwrap_err();
        assert_eq!((svid.code(), bundles.code()), (Code::Unimplemented, Code::Unimplemented));
    })
    .await;
}

#[tokio::test]
async fn oversize_request_is_refused() {
    served(workload_service(Arc::new(Fake::new())), async |channel| {
        let error =
            WorkloadClient::new(channel).validate_jwt_svid("db", "x".repeat(65 * 1024)).await.unwrap_err();
        assert!(error.message().contains("65536"), "{error}");
    })
    .await;
}

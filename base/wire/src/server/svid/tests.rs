//! The SVID service from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_identity::{Audience, EntryId, JwtSvid, SpiffeId, X509Svid};
use tonic::{Code, Extensions, Status};

use super::{SvidApi, svid_service};
use crate::client::SvidClient;
use crate::harness::{Ca, jwt_svid, served};
use crate::proto::svid as proto;
use crate::proto::svid::svid_client::SvidClient as Stub;
use crate::{refused_until, retry_after};

/// Gives everyone the same SVID, but entry `none`.
struct Fake(X509Svid);

impl Fake {
    fn service() -> impl crate::server::GrpcService {
        svid_service(Arc::new(Self(Ca::new("example.org").svid("/db"))))
    }
}

#[async_trait]
impl SvidApi for Fake {
    async fn new_x509_svids(
        &self,
        _: &Extensions,
        requests: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status> {
        if requests.iter().any(|(id, _)| id.as_str() == "busy") {
            return Err(refused_until(Code::ResourceExhausted, "busy", Duration::from_secs(3)));
        }
        let answer = |(id, csr): (EntryId, Vec<u8>)| match id.as_str() {
            "none" => Err(Status::not_found("entry not found or not authorized")),
            _ => {
                assert_eq!(csr, b"csr");
                Ok(self.0.clone())
            }
        };
        Ok(requests.into_iter().map(answer).collect())
    }

    async fn new_jwt_svid(&self, _: &Extensions, _: EntryId, audience: Audience) -> Result<JwtSvid, Status> {
        Ok(jwt_svid("/db", &audience.iter().collect::<Vec<_>>()))
    }

    async fn mint_x509_svid(
        &self,
        _: &Extensions,
        csr: Vec<u8>,
        ttl: Option<Duration>,
    ) -> Result<X509Svid, Status> {
        assert_eq!(csr, b"csr");
        match ttl {
            Some(_) => Err(Status::internal(format!("{ttl:?}"))),
            None => Ok(self.0.clone()),
        }
    }

    async fn mint_jwt_svid(
        &self,
        _: &Extensions,
        id: SpiffeId,
        audience: Audience,
        ttl: Option<Duration>,
    ) -> Result<JwtSvid, Status> {
        match ttl {
            Some(_) => Err(Status::internal(format!("{ttl:?}"))),
            None => Ok(jwt_svid(id.path(), &audience.iter().collect::<Vec<_>>())),
        }
    }
}

fn id(text: &str) -> EntryId {
    EntryId::new(text).unwrap()
}

#[tokio::test]
async fn each_request_has_its_outcome_in_order() {
    served(Fake::service(), async |channel| {
        let requests = ["one", "none", "two"].map(|name| (id(name), b"csr".to_vec())).to_vec();
        let outcomes = SvidClient::new(channel).new_x509_svids(requests).await.unwrap();
        let codes: Vec<_> =
            outcomes.iter().map(|it| it.as_ref().map_or_else(Status::code, |_| Code::Ok)).collect();
        assert_eq!(codes, [Code::Ok, Code::NotFound, Code::Ok]);
    })
    .await;
}

#[tokio::test]
async fn malformed_request_spoils_only_itself() {
    served(Fake::service(), async |channel| {
        let params = |entry_id: &str, csr: &[u8]| proto::NewX509svidParams {
            entry_id: entry_id.to_owned(),
            csr: csr.to_vec(),
        };
        let request = proto::BatchNewX509svidRequest {
            params: vec![
                params("", b"csr"),
                params("one", b"csr"),
                params("one", b""),
                params("none", b"csr"),
            ],
        };
        let results = Stub::new(channel).batch_new_x509svid(request).await.unwrap().into_inner().results;
        let outcomes: Vec<_> = results
            .into_iter()
            .map(|result| (result.status.unwrap().message, result.svid.is_some()))
            .collect();
        let expected = [
            ("missing entry ID", false),
            ("OK", true),
            ("missing CSR", false),
            ("entry not found or not authorized", false),
        ];
        assert_eq!(outcomes, expected.map(|(text, svid)| (text.to_owned(), svid)));
    })
    .await;
}

#[tokio::test]
async fn client_splits_what_is_more_than_a_batch() {
    served(Fake::service(), async |channel| {
        let requests = vec![(id("one"), b"csr".to_vec()); 501];
        let outcomes = SvidClient::new(channel.clone()).new_x509_svids(requests).await.unwrap();
        assert_eq!(outcomes.into_iter().filter(Result::is_ok).count(), 501);
        let too_many = proto::BatchNewX509svidRequest { params: vec![Default::default(); 501] };
        let error = Stub::new(channel).batch_new_x509svid(too_many).await.unwrap_err();
        assert_eq!(error.message(), "501 svid requests sent; at most 500 are allowed, send fewer at a time");
    })
    .await;
}

#[tokio::test]
async fn jwt_svid_needs_an_entry_and_an_audience() {
    served(Fake::service(), async |channel| {
        let client = SvidClient::new(channel.clone());
        let audience = Audience::new(["db", "web"]).unwrap();
        let svid = client.new_jwt_svid(&id("one"), &audience).await.unwrap();
        assert_eq!(svid.audience(), ["db", "web"]);
        for (entry_id, audience) in [("", vec!["db".to_owned()]), ("one", Vec::new())] {
            let request = proto::NewJwtsvidRequest { entry_id: entry_id.to_owned(), audience };
            let error = Stub::new(channel.clone()).new_jwtsvid(request).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
        }
    })
    .await;
}

#[tokio::test]
async fn rpc_not_served_is_named() {
    served(Fake::service(), async |channel| {
        let request = proto::NewDownstreamX509caRequest::default();
        let error = Stub::new(channel).new_downstream_x509ca(request).await.unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented);
        assert_eq!(error.message(), "NewDownstreamX509CA is not served by this version");
    })
    .await;
}

#[tokio::test]
async fn operator_mints_by_a_csr_or_by_a_name() {
    served(Fake::service(), async |channel| {
        let client = SvidClient::new(channel);
        let svid = client.mint_x509_svid(b"csr".to_vec(), None).await.unwrap();
        assert_eq!(svid.id().path(), "/db");
        let audience = Audience::new(["db", "web"]).unwrap();
        let token = client.mint_jwt_svid(&crate::harness::id("/db"), &audience, None).await.unwrap();
        assert_eq!((token.id().path(), token.audience()), ("/db", &["db".to_owned(), "web".to_owned()][..]));
        // A lifetime travels in whole seconds, and a short one does not become none.
        let short = Some(Duration::from_millis(1));
        let told = client.mint_x509_svid(b"csr".to_vec(), short).await.unwrap_err();
        assert_eq!(told.message(), "Some(1s)");
        let told = client.mint_jwt_svid(&crate::harness::id("/db"), &audience, short).await.unwrap_err();
        assert_eq!(told.message(), "Some(1s)");
    })
    .await;
}

#[tokio::test]
async fn what_is_minted_needs_a_csr_or_an_id_with_an_audience_and_no_negative_life() {
    served(Fake::service(), async |channel| {
        let mut stub = Stub::new(channel);
        let mut x509 = async |csr: &[u8], ttl| {
            let request = proto::MintX509svidRequest { csr: csr.to_vec(), ttl };
            stub.mint_x509svid(request).await.unwrap_err()
        };
        for (refused, text) in
            [(x509(b"", 0).await, "missing CSR"), (x509(b"csr", -1).await, "ttl must not be negative")]
        {
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.message().starts_with(text), "{}", refused.message());
        }
        let id = || Some(crate::convert::id::to_spiffe_id(&crate::harness::id("/db")));
        let mut jwt = async |id, audience: &[&str], ttl| {
            let audience = audience.iter().map(ToString::to_string).collect();
            stub.mint_jwtsvid(proto::MintJwtsvidRequest { id, audience, ttl }).await.unwrap_err()
        };
        let refusals = [jwt(None, &["a"], 0).await, jwt(id(), &[], 0).await, jwt(id(), &["a"], -1).await];
        for refused in refusals {
            assert_eq!(refused.code(), Code::InvalidArgument, "{}", refused.message());
        }
    })
    .await;
}

#[tokio::test]
async fn refusal_of_a_whole_batch_says_when_to_ask_again() {
    served(Fake::service(), async |channel| {
        let requests = ["one", "busy"].map(|name| (id(name), b"csr".to_vec())).to_vec();
        let refusal = SvidClient::new(channel).new_x509_svids(requests).await.unwrap_err();
        assert_eq!(refusal.code(), Code::ResourceExhausted);
        assert_eq!(retry_after(&refusal), Some(Duration::from_secs(3)));
    })
    .await;
}

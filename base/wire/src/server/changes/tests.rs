//! The Changes service from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use tonic::{Code, Extensions, Status};

use super::{ChangesApi, changes_service};
use crate::client::ChangesClient;
use crate::harness::served;

/// Tells these revisions, and then that it must go.
struct Fake(Vec<u64>);

#[async_trait]
impl ChangesApi for Fake {
    async fn watch(&self, _: &Extensions) -> Result<BoxStream<'static, Result<u64, Status>>, Status> {
        let end = [Err(Status::unavailable("the server is stopping"))];
        Ok(stream::iter(self.0.clone().into_iter().map(Ok).chain(end)).boxed())
    }
}

#[tokio::test]
async fn only_newer_revisions_come() {
    for (known, expected) in [(0, vec![3, 5, 8]), (3, vec![5, 8]), (9, vec![])] {
        served(changes_service(Arc::new(Fake(vec![3, 5, 5, 4, 8]))), async |channel| {
            let revisions = ChangesClient::new(channel).watch(known).await.unwrap();
            let mut revisions: Vec<_> = revisions.collect().await;
            assert_eq!(revisions.pop().unwrap().unwrap_err().code(), Code::Unavailable);
            assert_eq!(revisions.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected);
        })
        .await;
    }
}

//! The Explain service from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_identity::EntryId;
use tonic::{Code, Extensions, Status};

use super::{ExplainApi, explain_service};
use crate::client::explain;
use crate::harness::{id, noon, selector, served};
use crate::{ExplainedAttestor, ExplainedMatch, ExplainedMiss, ExplainedProcess, ExplainedSvid, Explanation};

struct Fake;

fn matched(entry: &str, served: Result<ExplainedSvid, String>) -> ExplainedMatch {
    let entry = EntryId::new(entry).unwrap();
    ExplainedMatch { entry, spiffe_id: id("/web"), hint: "internal".to_owned(), served }
}

/// One of everything that may be told.
fn explanation(pid: i32) -> Explanation {
    let svid = ExplainedSvid { expires_at: noon(), renews_at: None };
    let renewed = ExplainedSvid { renews_at: Some(noon() - Duration::from_secs(60)), ..svid };
    let attestor = |name: &str, found| ExplainedAttestor {
        name: name.to_owned(),
        found,
        took: Duration::from_millis(12),
    };
    Explanation {
        summary: "it is served `spiffe://example.org/web`".to_owned(),
        process: ExplainedProcess { pid, uid: 1000, gid: 1001, path: Some("/bin/web".to_owned()) },
        attestors: vec![
            attestor("unix", Ok([selector("unix:uid:1000")].into_iter().collect())),
            attestor("docker", Err("no daemon answers".to_owned())),
        ],
        matches: vec![
            matched("a", Ok(svid)),
            matched("b", Ok(renewed)),
            matched("c", Err("refused".to_owned())),
        ],
        misses: vec![ExplainedMiss {
            entry: EntryId::new("d").unwrap(),
            spiffe_id: id("/db"),
            lacking: [selector("unix:uid:0")].into_iter().collect(),
        }],
        further_misses: 7,
        entries: 11,
        last_sync: Some(noon()),
        sync_failure: Some("no route".to_owned()),
    }
}

#[async_trait]
impl ExplainApi for Fake {
    async fn explain(&self, _: &Extensions, pid: i32) -> Result<Explanation, Status> {
        Ok(explanation(pid))
    }
}

#[tokio::test]
async fn explanation_arrives_whole() {
    served(explain_service(Arc::new(Fake)), async |channel| {
        assert_eq!(explain(channel, 42).await.unwrap(), explanation(42));
    })
    .await;
}

#[tokio::test]
async fn process_id_must_be_one() {
    served(explain_service(Arc::new(Fake)), async |channel| {
        for pid in [0, -1] {
            let error = explain(channel.clone(), pid).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert_eq!(error.message(), format!("{pid} is no process ID: give one above 0"));
        }
    })
    .await;
}

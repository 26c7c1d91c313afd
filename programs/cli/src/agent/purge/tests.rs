//! What is told of the agents that ended.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::SpiffeId;
use serde_json::json;
use tonic::Status;

use super::{Ended, text_of};

fn ended(name: &str, outcome: Option<Result<(), Status>>) -> Ended {
    let id = format!("spiffe://example.org/spire/agent/x509pop/{name}");
    Ended { id: SpiffeId::parse(&id).unwrap(), outcome }
}

#[test]
fn agents_that_ended_are_listed_by_what_became_of_them() {
    assert_eq!(text_of(&[], false), "No agents to purge.\n");
    let would = text_of(&[ended("a", None)], true);
    let expected = "Found 1 expired agent\n\n\nAgents that can be purged:\n\
                    SPIFFE ID         : spiffe://example.org/spire/agent/x509pop/a\n";
    assert_eq!(would, expected);
    let denied = Some(Err(Status::permission_denied("no")));
    let did = text_of(&[ended("a", denied), ended("b", Some(Ok(())))], false);
    let expected = "Found 2 expired agents\n\nAgents purged:\n\
                    SPIFFE ID         : spiffe://example.org/spire/agent/x509pop/b\n\
                    Agents not purged:\n\
                    SPIFFE ID         : spiffe://example.org/spire/agent/x509pop/a\n\
                    Error             : rpc error: code = PermissionDenied desc = no\n";
    assert_eq!(did, expected);
}

#[test]
fn machines_read_the_error_only_when_there_is_one() {
    let id = "spiffe://example.org/spire/agent/x509pop/a";
    assert_eq!(ended("a", Some(Ok(()))).json(), json!({"agent_id": id, "deleted": true}));
    assert_eq!(ended("a", None).json(), json!({"agent_id": id, "deleted": false}));
    let error = "rpc error: code = NotFound desc = gone";
    let failed = ended("a", Some(Err(Status::not_found("gone")))).json();
    assert_eq!(failed, json!({"agent_id": id, "deleted": false, "error": error}));
}

//! Which code and which words a caller gets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_attest::AttestError;
use finial_authorize::Denial;
use finial_identity::EntryId;
use finial_issue::IssueError;
use finial_store::{Noun, StoreError};
use finial_wire::{AgentDenial, agent_denial};
use tonic::{Code, Status};

#[test]
fn denial_carries_the_reason_for_an_agent() {
    let method = || "/spire.api.server.svid.v1.SVID/NewJWTSVID".to_owned();
    let refused = super::denial(&Denial::Agent { method: method(), reason: AgentDenial::Expired });
    assert_eq!(
        (refused.code(), agent_denial(&refused)),
        (Code::PermissionDenied, Some(AgentDenial::Expired))
    );
    let refused = super::denial(&Denial::Method { method: method() });
    assert_eq!((refused.code(), agent_denial(&refused)), (Code::PermissionDenied, None));
    let refused = super::denial(&Denial::Entry { id: EntryId::generate() });
    assert_eq!((refused.code(), refused.message()), (Code::NotFound, "entry not found or not authorized"));
}

#[test]
fn banned_agent_hears_spires_words() {
    let id = "spiffe://example.org/spire/agent/join_token/abc".parse().unwrap();
    let refused = super::attestation_denial(&Denial::Banned { id });
    assert_eq!(refused.message(), "failed to attest: agent is banned");
    assert_eq!(agent_denial(&refused), Some(AgentDenial::Banned));
}

#[test]
fn attestation_errors_keep_their_meaning_and_not_their_causes() {
    let late = super::attest(AttestError::TokenExpired);
    assert_eq!(
        (late.code(), late.message()),
        (Code::InvalidArgument, "failed to attest: join token expired")
    );
    let unknown = super::attest(AttestError::UnknownKind { kind: "tpm".to_owned() });
    assert_eq!(unknown.code(), Code::FailedPrecondition);
    let source = Status::cancelled("gone");
    assert_eq!(super::attest(AttestError::Dialogue { source }).code(), Code::Cancelled);
    let foreign = AttestError::ForeignSelector { kind: "a".to_owned(), foreign: "b".to_owned() };
    let hidden = super::attest(foreign);
    assert_eq!((hidden.code(), hidden.message()), (Code::Internal, "failed to attest"));
}

#[test]
fn store_and_authority_errors_have_the_code_that_says_what_to_do() {
    let table = [
        (StoreError::NotFound { noun: Noun::Node, key: "x".to_owned() }, Code::NotFound),
        (StoreError::Duplicate { noun: Noun::Token, existing: String::new() }, Code::AlreadyExists),
        (StoreError::Conflict { noun: Noun::Node, key: "x".to_owned() }, Code::Aborted),
        (StoreError::NoBundle { trust_domain: "other.test".to_owned() }, Code::InvalidArgument),
        (StoreError::Unavailable { source: "disk".into() }, Code::Unavailable),
        (StoreError::Closed, Code::Unavailable),
        (StoreError::Behind { after: 2, newest: 1 }, Code::Internal),
    ];
    for (error, code) in table {
        assert_eq!(super::store(error).code(), code);
    }
    assert_eq!(super::issue(IssueError::NoAuthorityId).code(), Code::InvalidArgument);
    assert_eq!(super::issue(IssueError::Untainted { id: "x".to_owned() }).code(), Code::FailedPrecondition);
    assert_eq!(super::issue(IssueError::Stopped).code(), Code::Unavailable);
}

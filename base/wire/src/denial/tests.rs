//! Denials.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use tonic::{Code, Status};

use super::{AgentDenial, agent_denial, denied};

#[test]
fn each_reason_survives_the_wire() {
    for denial in [
        AgentDenial::Expired,
        AgentDenial::NotAttested,
        AgentDenial::NotActive,
        AgentDenial::Banned,
        AgentDenial::MustReattest,
    ] {
        let headers = denied(denial, "no").into_http::<()>().into_parts().0.headers;
        let status = Status::from_header_map(&headers).unwrap();
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "no"));
        assert_eq!(agent_denial(&status), Some(denial));
    }
}

#[test]
fn details_are_bytes_that_spire_agents_understand() {
    // google.rpc.Status{code: 7, message: "no", details: [Any{type_url, value: {reason: AGENT_BANNED}}]}
    let details = denied(AgentDenial::Banned, "no").details().to_vec();
    assert!(details.starts_with(b"\x08\x07\x12\x02no\x1a"));
    assert!(details.ends_with(b"spire.api.types.PermissionDeniedDetails\x12\x02\x08\x04"));
}

#[test]
fn other_statuses_are_no_denial() {
    assert_eq!(agent_denial(&Status::permission_denied("no")), None);
    assert_eq!(agent_denial(&Status::unavailable("later")), None);
    let garbage = Status::with_details(Code::PermissionDenied, "no", b"\xff\xff".to_vec().into());
    assert_eq!(agent_denial(&garbage), None);
    let details = denied(AgentDenial::Banned, "no").details().to_vec();
    assert_eq!(agent_denial(&Status::with_details(Code::Unknown, "no", details.into())), None);
}

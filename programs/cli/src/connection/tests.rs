//! Which path an instance has, and how an error of a call reads.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use tonic::{Code, Status};

use super::{answered, path_of, refused};

#[test]
fn the_name_of_an_instance_stands_in_for_the_mark() {
    let path = path_of("blue", "/run/%i/server-%i.sock").unwrap();
    assert_eq!(path, Path::new("/run/blue/server-blue.sock"));
    for (instance, template) in [
        ("blue", "/run/server.sock"),
        ("", "/run/%i.sock"),
        ("../other", "/run/%i.sock"),
        ("a/b", "/run/%i.sock"),
        ("..", "/run/%i/api.sock"),
    ] {
        path_of(instance, template).unwrap_err();
    }
}

#[test]
fn an_error_reads_as_from_a_client_in_go() {
    let text = refused("failed to list the agents")(Status::permission_denied("no"));
    assert_eq!(text.to_string(), "failed to list the agents: rpc error: code = PermissionDenied desc = no");
    for (code, name) in [(Code::Cancelled, "Canceled"), (Code::NotFound, "NotFound"), (Code::Ok, "OK")] {
        let text = answered(Status::new(code, "why")).to_string();
        assert_eq!(text, format!("rpc error: code = {name} desc = why"));
    }
    let text = answered(Status::unimplemented("X is not served by this version")).to_string();
    assert!(
        text.ends_with(
            "desc = X is not served by this version (the program at this socket does not serve it)"
        )
    );
}

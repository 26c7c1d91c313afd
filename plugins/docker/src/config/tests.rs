//! Tests of the settings: what is accepted, and what is refused in which words.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

const ID: &str = "a123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn socket_is_a_path_behind_unix() {
    let socket: SocketAddress = "unix:///var/run/docker.sock".parse().unwrap();
    assert_eq!(socket.path(), Path::new("/var/run/docker.sock"));
    assert_eq!(socket, DockerConfig::default().docker_socket);
    assert_eq!(socket.to_string(), "unix:///var/run/docker.sock");
    for bad in
        ["", "/var/run/docker.sock", "unix://docker.sock", "tcp://127.0.0.1:2375", "npipe:////./pipe/x"]
    {
        let refused = bad.parse::<SocketAddress>().unwrap_err();
        assert_eq!(refused, format!("`{bad}` is no Unix socket: write unix:///path"));
    }
}

#[test]
fn template_holds_the_user_id_once() {
    let template: SocketTemplate = "unix:///run/user/%d/podman/podman.sock".parse().unwrap();
    assert_eq!(template.of(1000).path(), Path::new("/run/user/1000/podman/podman.sock"));
    let template: SocketTemplate = "unix:///100%%/%d".parse().unwrap();
    assert_eq!(template.of(0).path(), Path::new("/100%/0"));
    for (bad, why) in [
        ("unix:///run/podman.sock", "must have one %d"),
        ("unix:///run/%d/%d", "must have one %d"),
        ("unix:///run/%s", "neither %d"),
        ("unix:///run/%d/%", "neither %d"),
        ("/run/%d", "is no Unix socket"),
    ] {
        let refused = bad.parse::<SocketTemplate>().unwrap_err();
        assert!(refused.contains(bad) && refused.contains(why), "{refused}");
    }
}

#[test]
fn version_is_two_numbers() {
    for good in ["1.41", "v1.41"] {
        assert_eq!(good.parse::<ApiVersion>().unwrap().to_string(), "1.41");
    }
    for bad in ["", "1", "1.", ".1", "1.41/../..", "latest", "1.4.1"] {
        assert!(bad.parse::<ApiVersion>().is_err(), "{bad}");
    }
}

#[test]
fn pattern_finds_the_id() {
    for (pattern, path) in [
        ("/docker/<id>", format!("/docker/{ID}")),
        ("/my.slice/*/<id>/*", format!("/my.slice/a/{ID}/b")),
        ("/my.slice/docker-<id>.scope", format!("/my.slice/docker-{ID}.scope")),
        ("/a*c/<id>", format!("/abc/{ID}")),
    ] {
        let patterns = IdPatterns::parse([pattern]).unwrap();
        assert_eq!(patterns.find(&path).map(|id| id.to_string()), Some(ID.to_owned()), "{pattern}");
        for other in
            ["/".to_owned(), format!("/x{path}"), format!("{path}/x"), path[..path.len() - 1].to_owned()]
        {
            assert_eq!(patterns.find(&other), None, "{pattern} {other}");
        }
    }
    assert_eq!(IdPatterns::parse(["/docker/<id>"]).unwrap().find("/docker/short"), None);
}

#[test]
fn malformed_pattern_is_refused_with_its_fault() {
    for (pattern, fault) in [
        ("", "`` must begin with a slash"),
        ("docker/<id>", "`docker/<id>` must begin with a slash"),
        ("/docker/*", "`/docker/*` must have <id> once, where the id of the container stands"),
        ("/<id>/<id>", "`/<id>/<id>` must have <id> once, where the id of the container stands"),
        ("/<id>*", "`/<id>*` has more than one * or <id> in `<id>*`"),
        ("/**/<id>", "`/**/<id>` has more than one * or <id> in `**`"),
    ] {
        assert_eq!(IdPatterns::parse([pattern]).unwrap_err(), fault);
    }
}

#[test]
fn patterns_that_match_the_same_path_are_refused() {
    for (one, other) in [
        ("/a/b/<id>", "/*/b/<id>"),
        ("/a/<id>", "/<id>/*"),
        ("/a/<id>", "/a/<id>"),
        ("/ab*/<id>", "/*b/<id>"),
        ("/docker-<id>.scope", "/docker-<id>*".trim_end_matches('*')),
    ] {
        let refused = IdPatterns::parse([one, other]).unwrap_err();
        assert_eq!(refused, format!("`{one}` and `{other}` match the same paths: keep one"));
    }
    for (one, other) in [("/a/<id>", "/b/<id>"), ("/a/<id>", "/a/b/<id>"), ("/docker-<id>", "/crio-<id>")] {
        assert!(IdPatterns::parse([one, other]).is_ok(), "{one} {other}");
    }
}

//! The settings of the `docker` attestor.

use super::super::read;
use super::{refused, with};

#[test]
fn every_setting_is_read() {
    let config = read(&with(
        "docker",
        r#"
        docker_socket_path = "unix:///d.sock"
        podman_socket_path = "unix:///p.sock"
        podman_socket_path_template = "unix:///u/%d.sock"
        docker_version = "1.41"
        use_new_container_locator = false
        verbose_container_locator_logs = false
        container_id_cgroup_matchers = ["/docker/<id>", "/my.slice/*/<id>/*"]"#,
    ));
    let docker = config.docker.unwrap();
    assert_eq!(docker.docker_socket.to_string(), "unix:///d.sock");
    assert_eq!(docker.podman_socket.to_string(), "unix:///p.sock");
    assert_eq!(docker.podman_socket_template.unwrap().of(7).to_string(), "unix:///u/7.sock");
    assert_eq!(docker.api_version.unwrap().to_string(), "1.41");
    assert!(docker.id_patterns.is_some());
}

#[test]
fn bad_settings_are_refused_with_a_remedy() {
    for (settings, problem) in [
        ("docker_socket = \"x\"", "unknown key \"docker_socket\""),
        ("docker_socket_path = \"/d.sock\"", "docker_socket_path: `/d.sock` is no Unix socket"),
        ("podman_socket_path_template = \"unix:///p\"", "must have one %d"),
        ("docker_version = \"latest\"", "docker_version: `latest` is no version"),
        ("sigstore { }", "sigstore is not supported yet"),
        ("experimental { sigstore { } }", "experimental is not supported yet"),
        ("verbose_container_locator_logs = true", "verbose_container_locator_logs is not supported yet"),
        (
            "docker_host = \"npipe://x\"",
            "docker_host is not supported: it is for Windows, use docker_socket_path",
        ),
        ("container_id_cgroup_matchers = [\"/docker/<id>\"]", "only with use_new_container_locator = false"),
        (
            "use_new_container_locator = false\ncontainer_id_cgroup_matchers = [\"/docker\"]",
            "container_id_cgroup_matchers: `/docker` must have <id> once",
        ),
    ] {
        refused(&with("docker", settings), problem);
    }
}

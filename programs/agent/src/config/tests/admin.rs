//! The admin socket and its delegates.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use super::{Config, read, with};

fn refusal(lines: &str) -> String {
    Config::from_hcl(&with(lines), "agent.conf").unwrap_err().to_string()
}

#[test]
fn there_is_no_admin_socket_and_no_delegate_by_default() {
    let config = read(&with(""));
    assert!(config.admin_socket_path.is_none() && config.authorized_delegates.is_empty());
}

#[test]
fn admin_socket_and_delegates_are_read() {
    let config = read(&with(
        "admin_socket_path = \"/tmp/spire-agent/private/admin.sock\"\n\
         authorized_delegates = [\"spiffe://example.org/cilium\"]",
    ));
    assert_eq!(config.admin_socket_path.as_deref(), Some(Path::new("/tmp/spire-agent/private/admin.sock")));
    assert_eq!(config.authorized_delegates[0].as_str(), "spiffe://example.org/cilium");
}

#[test]
fn admin_socket_in_or_below_the_public_folder_is_refused_by_name() {
    for path in [
        "/tmp/spire-agent/public/admin.sock",
        "/tmp/spire-agent/public/deep/er/admin.sock",
        "/tmp/spire-agent/private/../public/admin.sock",
        "/tmp/spire-agent/./public/admin.sock",
    ] {
        let text = refusal(&format!("admin_socket_path = \"{path}\""));
        assert!(text.contains(&format!("the admin socket {path} is in or below")), "{text}");
        assert!(text.contains("agent.conf:5"), "{text}");
    }
}

#[test]
fn admin_socket_is_compared_with_the_public_one_that_is_configured() {
    let lines = "socket_path = \"/run/one/agent.sock\"\nadmin_socket_path = \"/run/one/admin.sock\"";
    assert!(refusal(lines).contains("in or below the folder"));
    read(&with("socket_path = \"/run/one/agent.sock\"\nadmin_socket_path = \"/run/two/admin.sock\""));
    // A sibling whose name begins alike is another folder.
    read(&with("socket_path = \"/run/one/agent.sock\"\nadmin_socket_path = \"/run/one-admin/admin.sock\""));
}

#[test]
fn symbolic_link_into_the_public_folder_is_seen_through() {
    let folder = tempfile::tempdir().unwrap();
    let public = folder.path().join("public");
    std::fs::create_dir(&public).unwrap();
    std::os::unix::fs::symlink(&public, folder.path().join("private")).unwrap();
    let lines = format!(
        "socket_path = \"{}\"\nadmin_socket_path = \"{}\"",
        public.join("agent.sock").display(),
        folder.path().join("private/admin.sock").display()
    );
    assert!(refusal(&lines).contains("in or below the folder"));
}

#[test]
fn delegate_must_be_a_spiffe_id_of_the_own_trust_domain() {
    let text = refusal("authorized_delegates = [\"cilium\"]");
    assert!(text.contains("`cilium` is no SPIFFE ID"), "{text}");
    let text = refusal("authorized_delegates = [\"spiffe://other.org/cilium\"]");
    assert!(text.contains("is not of the trust domain `example.org`"), "{text}");
}

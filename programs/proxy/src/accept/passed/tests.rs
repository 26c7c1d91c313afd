//! The names as systemd passes them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::index;

#[test]
fn exactly_one_socket_has_the_name() {
    for (names, count, says) in [
        ("web", 1, Ok(0)),
        ("a:web:b", 3, Ok(1)),
        ("a:web", 1, Err("expected listener with name web, but found none")),
        ("", 0, Err("expected listener with name web, but found none")),
        ("webs:we", 2, Err("expected listener with name web, but found none")),
        (
            "web:web",
            2,
            Err("expected exactly 1 listening socket configured in systemd for name web, found 2"),
        ),
    ] {
        let found = index(names, count, "web").map_err(|error| error.to_string());
        assert_eq!(found, says.map_err(str::to_owned), "{names}");
    }
}

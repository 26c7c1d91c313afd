//! What becomes of each way to write a flag.

use super::with_two_dashes;

fn converted(line: &str) -> String {
    let args = with_two_dashes(line.split(' ').map(Into::into));
    args.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[test]
fn one_dash_is_as_good_as_two() {
    for (written, read) in [
        ("finial entry create -spiffeID spiffe://a/b", "finial entry create --spiffeID spiffe://a/b"),
        ("finial entry create --spiffeID=spiffe://a/b", "finial entry create --spiffeID=spiffe://a/b"),
        ("finial entry show -node=false", "finial entry show --node=false"),
        ("finial -h", "finial -h"),
        ("finial token generate -ttl -5", "finial token generate --ttl -5"),
        ("finial x -- -spiffeID", "finial x -- -spiffeID"),
        ("finial entry create -data -", "finial entry create --data -"),
    ] {
        assert_eq!(converted(written), read);
    }
}

#[test]
fn blanks_before_a_flag_are_those_of_a_lost_line_break() {
    let read = |args: &[&str]| with_two_dashes(args.iter().map(Into::into));
    assert_eq!(read(&["create", " -dns", "a", "  --hint", "b"]), ["create", "--dns", "a", "--hint", "b"]);
    assert_eq!(read(&["create", "-hint", " -a"]), ["create", "--hint", " -a"], "a value stays as it is");
    assert_eq!(read(&["create", " -a b", " x"]), ["create", " -a b", " x"]);
    assert_eq!(read(&["exec", "--", " -a"]), ["exec", "--", " -a"]);
}

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

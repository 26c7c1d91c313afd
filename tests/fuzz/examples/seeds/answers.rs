//! Answers in protobuf: one of each shape that a caller reads.

use anyhow::Result;

use super::messages::{bundle, entry, field, id, many, number};
use super::seed;

/// Claims of `spiffe://example.org/web` for `db`, signed by nobody.
const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOlsiZGIiXSwiZXhwIjoxODkzNDU5NjAwLCJzdWIiOiJzcGlmZmU6Ly9leGFtcGxlLm9yZy93ZWIifQ.AAAA";
const ID: &str = "spiffe://example.org/web";
const KEYS: &str = r#"{"keys":[{"kty":"EC","kid":"key-1","crv":"P-256","x":"AA","y":"AA"}]}"#;

/// What an agent says, by the position of the call in `CALLS`.
pub(crate) fn of_agent(authority: &[u8], leaf: &[u8], key: &[u8]) -> Result<()> {
    let svid = |hint: &str| {
        let parts = [field(1, ID), field(2, leaf), field(3, key), field(4, authority), field(5, hint)];
        field(1, parts.concat())
    };
    let map = |tag, name: &str, value: &[u8]| field(tag, [field(1, name), field(2, value)].concat());
    let federated = map(3, "spiffe://other.test", authority);
    let update = [svid("internal"), svid(""), svid("internal"), federated].concat();
    let token = field(1, [field(1, ID), field(2, TOKEN), field(3, "internal")].concat());
    let claims = field(2, map(1, "sub", &field(3, ID)));
    let typed =
        [field(1, leaf), field(2, id("/web")), number(3, 1_900_000_000), field(4, "internal")].concat();
    let delegated = field(1, [field(1, typed), field(2, key)].concat());
    let typed_token = [field(1, TOKEN), field(2, id("/web"))].concat();
    let process = [number(1, 1), field(2, "/usr/bin/web")].concat();
    let cases: [(&str, u8, Vec<u8>); 11] = [
        ("x509-svids", 0, update.clone()),
        ("no-svids", 0, federated_alone(authority)),
        ("x509-bundles", 1, map(2, "spiffe://example.org", authority)),
        ("jwt-bundles", 2, map(1, "spiffe://example.org", KEYS.as_bytes())),
        ("jwt-svids", 3, [token.clone(), token].concat()),
        ("validated", 4, [field(1, ID), claims].concat()),
        ("delegated-x509-svids", 5, [delegated, field(2, "spiffe://other.test")].concat()),
        ("delegated-x509-bundles", 6, map(1, "spiffe://example.org", authority)),
        ("delegated-jwt-svids", 7, field(1, typed_token)),
        ("delegated-jwt-bundles", 8, map(1, "spiffe://example.org", KEYS.as_bytes())),
        ("explained", 9, [field(1, "it is served nothing"), field(2, process)].concat()),
    ];
    for (name, call, message) in cases {
        seed("agent_answer", name, [&[call][..], &message].concat())?;
    }
    seed("agent_answer", "two-updates", many(0, &[update, svid("")]))
}

fn federated_alone(authority: &[u8]) -> Vec<u8> {
    field(3, [field(1, "spiffe://other.test"), field(2, authority)].concat())
}

/// What a server says, by the position of the call in `CALLS`.
pub(crate) fn of_server(authority: &[u8], spki: &[u8], leaf: &[u8]) -> Result<()> {
    let svid = [field(1, leaf), field(2, id("/web")), number(3, 1_900_000_000)].concat();
    let good = field(1, [field(1, field(2, "OK")), field(2, &svid)].concat());
    let refused = field(1, field(1, [number(1, 5), field(2, "entry not found")].concat()));
    let token = [field(1, TOKEN), field(2, id("/web")), number(3, 1_893_459_600)].concat();
    let challenge = format!(r#"{{"ecdsa_signature":{{"nonce":"{}="}}}}"#, "A".repeat(43));
    let joined = field(1, [field(1, &svid), number(2, 1)].concat());
    let revision = |name: &str, revision| {
        field(1, [field(1, name), number(2, revision), number(3, 1_893_456_000)].concat())
    };
    let detail = |kind: &str, value: Vec<u8>| {
        let any = [field(1, format!("type.googleapis.com/{kind}")), field(2, value)].concat();
        [number(1, 7), field(2, "no"), field(3, any)].concat()
    };
    let cases: [(&str, u8, Vec<u8>); 13] = [
        ("entries", 0, [field(2, entry()), field(2, entry())].concat()),
        ("x509-svids", 1, [good, refused].concat()),
        ("jwt-svid", 2, field(1, token)),
        ("renewed", 4, field(1, svid)),
        ("own-bundle", 5, bundle(authority, spki)),
        ("federated-bundle", 6, bundle(authority, spki)),
        ("federated-bundles", 7, [field(1, bundle(authority, spki)), field(2, "same")].concat()),
        ("banned", 9, detail("spire.api.types.PermissionDeniedDetails", number(1, 4))),
        ("retry-later", 9, detail("google.rpc.RetryInfo", field(1, number(1, 2)))),
        ("all-entries", 10, field(1, entry())),
        ("endless-list", 11, [field(1, entry()), field(2, "same")].concat()),
        ("join-token", 12, [field(1, "token"), number(2, 1_900_000_000)].concat()),
        ("authorities", 13, field(1, [field(1, "one"), number(2, 1_900_000_000)].concat())),
    ];
    for (name, call, message) in cases {
        seed("server_answer", name, [&[call][..], &message].concat())?;
    }
    let page = [revision("one", 2), revision("two", 1), revision("one", 2), number(3, 1)].concat();
    seed("server_answer", "revisions", many(0, &[page, revision("new", 1), field(2, entry())]))?;
    seed("server_answer", "challenged", many(3, &[field(2, challenge), joined]))?;
    seed("server_answer", "changes", many(8, &[number(1, 1), number(1, 2)]))
}

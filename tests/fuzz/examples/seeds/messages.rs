//! Requests in protobuf, put together field by field: one of each shape that an API reads.

use anyhow::Result;

use super::seed;

const MANY: u8 = 0x40;

/// `bytes` as field `number`: a text, bytes or a message.
pub(crate) fn field(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut field = vec![number << 3 | 2];
    varint(&mut field, bytes.len() as u64);
    field.extend(bytes);
    field
}

/// A number, a choice or a yes as field `number`.
pub(crate) fn number(number: u8, value: u64) -> Vec<u8> {
    let mut field = vec![number << 3];
    varint(&mut field, value);
    field
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

pub(crate) fn id(path: &str) -> Vec<u8> {
    [field(1, "example.org"), field(2, path)].concat()
}

fn selector(kind: &str, value: &str) -> Vec<u8> {
    [field(1, kind), field(2, value)].concat()
}

pub(crate) fn entry() -> Vec<u8> {
    [
        field(1, "one"),
        field(2, id("/web")),
        field(3, id("/spire/agent/join_token/one")),
        field(4, selector("unix", "uid:1000")),
        field(4, selector("unix", "gid:1000")),
        number(5, 600),
        field(6, "other.test"),
        number(7, 1),
        number(9, 1_900_000_000),
        field(10, "web.example.org"),
        number(13, 60),
        field(14, "internal"),
    ]
    .concat()
}

pub(crate) fn bundle(authority: &[u8], spki: &[u8]) -> Vec<u8> {
    let key = [field(1, spki), field(2, "key-1"), number(3, 1_900_000_000)].concat();
    let certificate = [field(1, authority), number(2, 1)].concat();
    [field(1, "other.test"), field(2, certificate), field(3, key), number(4, 300), number(5, 7)].concat()
}

/// What agents and administrators ask a server, by the position of the method in `METHODS`.
pub(crate) fn to_server(authority: &[u8], spki: &[u8], csr: &[u8]) -> Result<()> {
    let filter = [
        field(1, id("/web")),
        field(3, [field(1, selector("unix", "uid:1")), number(2, 2)].concat()),
        field(4, [field(1, "other.test"), number(2, 3)].concat()),
        field(5, field(1, "internal")),
        field(6, number(1, 1)),
    ]
    .concat();
    let params = [field(1, "join_token"), field(2, "token")].concat();
    let attest = field(1, [field(1, params), field(2, field(1, csr))].concat());
    let federated = field(1, bundle(authority, spki));
    let cases: [(&str, u8, Vec<u8>); 17] = [
        ("count-entries", 0, field(1, &filter)),
        ("list-entries", 1, [field(1, &filter), number(3, 10), field(4, "one")].concat()),
        ("get-entry", 2, [field(1, "one"), field(2, number(2, 1))].concat()),
        ("create-entries", 3, [field(1, entry()), field(1, entry())].concat()),
        ("update-entries", 4, [field(1, entry()), field(2, [number(4, 1), number(10, 1)].concat())].concat()),
        ("delete-entries", 5, [field(1, "one"), field(1, "two")].concat()),
        (
            "list-agents",
            9,
            field(1, [field(1, "join_token"), field(5, "2030-01-01 00:00:00 +0000 -0700")].concat()),
        ),
        ("ban-agent", 12, field(1, id("/spire/agent/join_token/one"))),
        ("renew-agent", 14, field(1, field(1, csr))),
        ("join-token", 15, [number(1, 600), field(2, "token"), field(3, id("/node"))].concat()),
        ("post-status", 16, [number(1, 7), field(2, "1.15.3")].concat()),
        (
            "append-bundle",
            18,
            [field(1, field(1, authority)), field(2, [field(1, spki), field(2, "k")].concat())].concat(),
        ),
        ("create-bundle", 22, federated.clone()),
        ("update-bundle", 23, [federated, field(2, [number(2, 1), number(4, 1)].concat())].concat()),
        ("delete-bundles", 25, [field(1, "other.test"), number(2, 2)].concat()),
        ("new-x509-svids", 28, field(1, [field(1, "one"), field(2, csr)].concat())),
        ("new-jwt-svid", 29, [field(1, "one"), field(2, "db"), field(2, "cache")].concat()),
    ];
    for (name, method, message) in cases {
        seed("server_request", name, [&[method][..], &message].concat())?;
    }
    seed("server_request", "sync", many(7, &[field(1, number(2, 1)), field(2, "one"), field(2, "two")]))?;
    seed("server_request", "attest", many(13, &[attest, field(2, "answer")]))?;
    seed("server_request", "raw", [&[0x80 | 3, 0, 0, 0, 0, 2][..], &[0x0a, 0]].concat())
}

/// What workloads, Envoys and delegates ask an agent.
pub(crate) fn to_agent() -> Result<()> {
    let version = field(2, [field(1, [number(1, 1), number(2, 28)].concat())].concat());
    let value = field(3, "web");
    let metadata = field(3, field(1, [field(1, "role"), field(2, value)].concat()));
    let node = field(2, [field(1, "envoy"), field(6, "envoy"), version, metadata].concat());
    let secrets = [
        field(1, "1"),
        node.clone(),
        field(3, "default"),
        field(3, "ROOTCA"),
        field(4, "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"),
        field(5, "1"),
        field(6, [number(1, 3), field(2, "no")].concat()),
    ]
    .concat();
    let held = [field(1, "default"), field(2, "1")].concat();
    let delta = [field(1, &node[2..]), field(3, "default"), field(4, "ROOTCA"), field(5, held)].concat();
    let selectors = field(1, [field(1, selector("unix", "uid:1"))].concat());
    seed("agent_request", "x509-svid", [0])?;
    seed("agent_request", "x509-bundles", [1])?;
    seed(
        "agent_request",
        "jwt-svid",
        [&[2][..], &field(1, "db"), &field(2, "spiffe://example.org/web")].concat(),
    )?;
    seed("agent_request", "validate", [&[4][..], &field(1, "db"), &field(2, "a.b.c")].concat())?;
    seed("agent_request", "stream-secrets", many(5, &[secrets.clone(), secrets.clone()]))?;
    seed("agent_request", "delta-secrets", many(6, &[delta]))?;
    seed("agent_request", "fetch-secrets", [&[7][..], &secrets].concat())?;
    seed("agent_request", "delegated", [&[8][..], &selectors].concat())?;
    seed("agent_request", "delegated-pid", [&[8][..], &number(2, 1)].concat())?;
    seed(
        "agent_request",
        "delegated-jwt",
        [&[10][..], &field(1, "db"), &field(2, selector("unix", "uid:1"))].concat(),
    )?;
    seed("agent_request", "explain", [&[12][..], &number(1, 1)].concat())
}

pub(crate) fn many(method: u8, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut data = vec![MANY | method];
    for message in messages {
        data.extend((message.len() as u16).to_be_bytes());
        data.extend(message);
    }
    data
}

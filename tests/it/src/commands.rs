//! The commands, as scripts written for SPIRE run them: flags with one dash, exact texts, exit status.

use finial_testkit::{Dev, Finished, Pair};

const NODE: &str = "spiffe://example.org/dev/node";
const WEB: &str = "spiffe://example.org/web";

/// The text with what differs from run to run put out of the way: `{id}`.
fn without(text: &str, volatile: &str) -> String {
    text.replace(volatile, "{id}")
}

fn value_of<'a>(text: &'a str, label: &str) -> &'a str {
    let line =
        text.lines().find(|line| line.starts_with(label)).unwrap_or_else(|| panic!("no {label}: {text}"));
    line.split_once(": ").unwrap().1
}

fn refused(finished: &Finished) -> &str {
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stdout);
    &finished.stderr
}

#[test]
fn an_entry_is_created_shown_updated_counted_and_deleted() {
    let dev = Dev::start();
    let create =
        ["entry", "create", "-parentID", NODE, "-spiffeID", WEB, "-selector", "unix:uid:7", "-dns", "web"];
    let created = dev.cli(&create).expect_success();
    let id = value_of(&created, "Entry ID").to_owned();
    let expected = "\
Entry ID                : {id}
SPIFFE ID               : spiffe://example.org/web
Parent ID               : spiffe://example.org/dev/node
Revision                : 0
X509-SVID TTL           : default
JWT-SVID TTL            : default
Selector                : unix:uid:7
DNS name                : web

";
    assert_eq!(without(&created, &id), expected);

    let again = dev.cli(&create);
    let text = refused(&again);
    assert!(
        text.contains("(code: AlreadyExists, msg: \"similar entry already exists\"):\nEntry ID"),
        "{text}"
    );
    assert!(text.ends_with("Error: failed to create one or more entries\n"), "{text}");

    let shown = dev.cli(&["entry", "show", "-spiffeID", WEB]).expect_success();
    assert_eq!(without(&shown, &id), format!("Found 1 entry\n{expected}"));

    let update =
        ["entry", "update", "-entryID", &id, "-parentID", NODE, "-spiffeID", WEB, "-selector", "unix:uid:8"];
    let updated = dev.cli(&[&update[..], &["-x509SVIDTTL", "300"]].concat()).expect_success();
    for line in [
        "Revision                : 1",
        "X509-SVID TTL           : 300",
        "Selector                : unix:uid:8",
    ] {
        assert!(updated.lines().any(|it| it == line), "{line:?} in {updated}");
    }

    // The alias of the agent is the other one.
    assert_eq!(dev.cli(&["entry", "count"]).expect_success(), "2 registration entries\n");
    let deleted = dev.cli(&["entry", "delete", "-entryID", &id]).expect_success();
    assert_eq!(deleted, format!("Deleted entry with ID: {id}\n"));
    let gone = dev.cli(&["entry", "delete", "-entryID", &id]);
    assert!(refused(&gone).contains("NotFound"), "{}", gone.stderr);
    assert_eq!(dev.cli(&["entry", "show", "-spiffeID", WEB]).expect_success(), "Found 0 entries\n");
}

#[test]
fn agents_tokens_bundles_and_authorities_are_shown() {
    let dev = Dev::start();
    assert_eq!(dev.cli(&["server", "healthcheck"]).expect_success(), "Server is healthy.\n");
    assert_eq!(dev.cli(&["agent", "healthcheck"]).expect_success(), "Agent is healthy.\n");

    let agents = dev.cli(&["agent", "list"]).expect_success();
    assert!(
        agents.starts_with("Found 1 attested agent:\n\nSPIFFE ID         : spiffe://example.org/"),
        "{agents}"
    );
    let agent = value_of(&agents, "SPIFFE ID").to_owned();
    let shown = dev.cli(&["agent", "show", "-spiffeID", &agent]).expect_success();
    assert!(shown.starts_with("Found an attested agent given its SPIFFE ID\n"), "{shown}");
    assert!(shown.contains("Attestation type  : join_token\n"), "{shown}");

    let token = dev.cli(&["token", "generate", "-ttl", "60"]);
    assert!(token.stderr.contains("Warning: Missing SPIFFE ID."), "{}", token.stderr);
    assert!(token.expect_success().starts_with("Token: "));

    assert!(dev.cli(&["bundle", "show"]).expect_success().starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert!(dev.cli(&["bundle", "show", "-format", "spiffe"]).expect_success().contains("\"x509-svid\""));
    let states = dev.cli(&["localauthority", "x509", "show"]).expect_success();
    assert!(states.starts_with("Active X.509 authority:\n  Authority ID: "), "{states}");
    assert!(states.contains("No prepared X.509 authority found"), "{states}");

    let evicted = dev.cli(&["agent", "evict", "-spiffeID", &agent]).expect_success();
    assert_eq!(evicted, "Agent evicted successfully\n");
}

#[test]
fn agents_are_chosen_by_flags_and_banned() {
    let pair = Pair::new();
    let (_server, mut gone) = (pair.server(), pair.join());
    // The agent of `finial dev` joins anew when it is banned, and forgets what it was.
    gone.kill();
    let agents = pair.cli(&["agent", "list"]).expect_success();
    let agent = value_of(&agents, "SPIFFE ID").to_owned();
    let before = "2000-01-02 15:04:05 -0700 -07";
    for (flags, found) in [
        (&["-canReattest"][..], false),
        (&["-canReattest=false"], true),
        (&["-banned"], false),
        (&["-banned=false"], true),
        (&["-attestationType", "join_token"], true),
        (&["-attestationType", "x509pop"], false),
        (&["-expiresBefore", before], false),
        (&["-expiresBefore", "2999-01-02 15:04:05 +0000 UTC"], true),
        (&["-selector", "a:b", "-matchSelectorsOn", "superset"], false),
        (&["-selector", "a:b", "-matchSelectorsOn", "subset"], true),
    ] {
        let count = pair.cli(&[&["agent", "count"], flags].concat()).expect_success();
        assert_eq!(count, if found { "1 attested agent\n" } else { "0 attested agents\n" }, "{flags:?}");
        let list = pair.cli(&[&["agent", "list"], flags].concat()).expect_success();
        assert_eq!(list.contains(&agent), found, "{flags:?}: {list}");
    }
    let wrong = pair.cli(&["agent", "list", "-expiresBefore", "tomorrow"]);
    assert!(refused(&wrong).contains("`tomorrow` is no time: write it as"), "{}", wrong.stderr);

    let banned = pair.cli(&["agent", "ban", "-spiffeID", &agent]).expect_success();
    assert_eq!(banned, "Agent banned successfully\n");
    let listed = pair.cli(&["agent", "list", "-banned"]).expect_success();
    assert!(listed.contains("Banned            : true\n") && !listed.contains("Serial number"), "{listed}");
    let nobody = pair.cli(&["agent", "ban", "-spiffeID", "spiffe://example.org/spire/agent/x"]);
    assert!(refused(&nobody).contains("NotFound"), "{}", nobody.stderr);
}

#[test]
fn mistakes_are_answered_with_the_remedy() {
    let dev = Dev::start();
    let create = |rest: &[&'static str]| [&["entry", "create"], rest].concat();
    let full =
        |spiffe_id, selector| create(&["-parentID", NODE, "-spiffeID", spiffe_id, "-selector", selector]);
    for (args, remedy) in [
        (create(&["-parentID", NODE, "-selector", "unix:uid:1"]), "give -spiffeID"),
        (create(&["-spiffeID", WEB, "-selector", "unix:uid:1"]), "give -parentID"),
        (create(&["-parentID", NODE, "-spiffeID", WEB]), "give -selector type:value"),
        (full("spiffe://Example.org/web", "unix:uid:1"), "-spiffeID \"spiffe://Example.org/web\""),
        (full("spiffe://other.org/web", "unix:uid:1"), "example.org"),
        (full("spiffe://example.org/spire/x", "unix:uid:1"), "/spire"),
        (full(WEB, "uid"), "-selector \"uid\""),
        (vec!["entry", "show", "-entryID", "no/such"], "no/such"),
        (vec!["token", "generate", "-ttl", "0"], "at least one second"),
        (vec!["agent", "evict", "-spiffeID", "spiffe://example.org/spire/agent/x"], "NotFound"),
        (vec!["localauthority", "x509", "activate", "-authorityID", "00"], "00"),
        (vec!["entry", "show", "-socketPath", "/nowhere/api.sock"], "finial server run"),
        (vec!["api", "fetch", "-socketPath", "/nowhere/api.sock"], "finial agent run"),
        (
            vec!["proxy", "server", "--listen", "127.0.0.1:0", "--target", "127.0.0.1:1"],
            "at least one access control flag",
        ),
        (vec!["server", "run", "-trustDomain", "example.org"], "-dataDir"),
    ] {
        let finished = dev.cli(&args);
        let text = refused(&finished);
        assert!(text.starts_with("Error: ") || text.contains("\nError: "), "{args:?}: {text}");
        assert!(text.contains(remedy), "{args:?} does not say {remedy:?}: {text}");
    }
}

//! A stand-in for a stock SPIRE agent on our server: the nine calls, the five reasons of a denial, and which serial
//! number of an agent counts. It speaks grpc-go and the API stubs that SPIRE publishes.

use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Finished, Pair, Process, go_peer, installed, run};
use serde_json::Value;

use crate::peers::peer;

const JOIN_TOKEN: &str = "NodeAttestor \"join_token\" {}";

/// The server, and the stranger's program with its folder of states.
struct Site {
    pair: Pair,
    program: PathBuf,
    _server: Process,
}

impl Site {
    fn with(settings: &str, node_attestors: &str) -> Option<Self> {
        let program = peer("spire-api-sdk", go_peer("agent"))?;
        let pair = Pair::new();
        let server = pair.server_with(settings, node_attestors);
        pair.bundle();
        Some(Self { pair, program, _server: server })
    }

    fn found() -> Option<Self> {
        Self::with("", JOIN_TOKEN)
    }

    /// Joined by a token that gives it the entries below the alias.
    fn joined() -> Option<Self> {
        let site = Self::found()?;
        let token = site.pair.token();
        site.attest("first", &["-token", &token]);
        Some(site)
    }

    fn run(&self, command: &str, state: &str, args: &[&str]) -> Finished {
        let (server, bundle) = (format!("127.0.0.1:{}", self.pair.port()), self.pair.path("bundle.pem"));
        let mut program = Command::new(&self.program);
        program.args([command, "-server", &server, "-bundle", &bundle, "-state", &self.pair.path(state)]);
        run(program.args(args))
    }

    fn attest(&self, state: &str, args: &[&str]) -> Value {
        json(&self.run("attest", state, args).expect_success())
    }

    /// What the server answers to the agent of this state.
    fn call(&self, state: &str, args: &[&str]) -> Value {
        json(&self.run("call", state, args).expect_success())
    }

    /// Code, message and reason of the refusal.
    fn refusal(&self, state: &str, args: &[&str]) -> [String; 3] {
        let answer = self.run("call", state, args);
        assert_eq!(answer.status.code(), Some(2), "{answer:?}");
        let answer = json(&answer.stdout);
        ["code", "message", "reason"].map(|key| text(&answer, key))
    }

    fn reason(&self, state: &str, args: &[&str]) -> String {
        let [code, _, reason] = self.refusal(state, args);
        assert_eq!(code, "PermissionDenied");
        reason
    }

    fn id(&self, state: &str) -> String {
        let folder = self.pair.path(state);
        assert!(Path::new(&folder).join("svid.pem").exists(), "no agent has attested as {state}");
        let agents = json(&self.pair.cli(&["agent", "list", "-output", "json"]).expect_success());
        let path = text(&agents["agents"][0]["id"], "path");
        format!("spiffe://example.org{path}")
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

#[test]
fn it_attests_with_a_token_which_is_then_used_up() {
    let Some(site) = Site::found() else { return };
    let token = site.pair.token();
    let answer = site.attest("first", &["-token", &token]);
    assert_eq!(answer["id"], format!("spiffe://example.org/spire/agent/join_token/{token}"));
    assert_eq!(answer["reattestable"], false);

    let again = site.run("attest", "second", &["-token", &token]);
    let again = json(&again.stdout);
    assert_eq!(again["code"], "InvalidArgument");
    let message = "failed to attest: join token does not exist or has already been used";
    assert_eq!(again["message"], message);
}

#[test]
fn it_reports_its_status_and_learns_the_bundle() {
    let Some(site) = Site::joined() else { return };
    site.call("first", &["post-status"]);
    let agents = site.pair.cli(&["agent", "list"]).expect_success();
    assert!(agents.contains("Agent version     : 1.15.2"), "{agents}");

    let bundle = site.call("first", &["bundle"]);
    assert_eq!(bundle["trust_domain"], "example.org");
    assert_eq!(bundle["x509_authorities"].as_array().map(Vec::len), Some(1));
    assert_eq!(bundle["jwt_keys"].as_array().map(Vec::len), Some(1));
}

#[test]
fn it_learns_its_entries_by_both_calls_alike() {
    let Some(site) = Site::joined() else { return };
    site.pair.entry("web");
    let listed = site.call("first", &["entries"]);
    let synced = site.call("first", &["sync"]);
    assert_eq!(listed, synced);
    // Its own alias, and the workload below it.
    let ids: Vec<&str> =
        synced.as_array().expect("a list").iter().filter_map(|e| e["spiffe_id"].as_str()).collect();
    assert!(ids.contains(&"spiffe://example.org/web"), "{synced}");
}

#[test]
fn it_gets_svids_whose_identity_is_the_entry_s_and_not_the_request_s() {
    let Some(site) = Site::joined() else { return };
    site.pair.entry("web");
    let entries = site.call("first", &["sync"]);
    let web =
        entries.as_array().expect("a list").iter().find(|e| e["spiffe_id"] == "spiffe://example.org/web");
    let entry = text(web.expect("the entry"), "id");

    let svid = site.call("first", &["x509-svid", &entry]);
    assert_eq!(svid["id"], "spiffe://example.org/web");
    assert_eq!(svid["uri"], "spiffe://example.org/web");
    assert_eq!(svid["message"], "OK");
    let token = site.call("first", &["jwt-svid", &entry, "accounts"]);
    assert_eq!(token["id"], "spiffe://example.org/web");
}

#[test]
fn it_gets_nothing_for_an_entry_that_is_not_its_own() {
    let Some(site) = Site::joined() else { return };
    for call in [&["x509-svid", "no-such-entry"][..], &["jwt-svid", "no-such-entry", "accounts"]] {
        let [code, message, _] = site.refusal("first", call);
        assert_eq!(code, "NotFound");
        assert!(message.contains("entry not found or not authorized"), "{message}");
    }
}

#[test]
fn it_is_told_of_a_foreign_bundle_that_nobody_has() {
    let Some(site) = Site::joined() else { return };
    let [code, ..] = site.refusal("first", &["federated-bundle", "elsewhere.example"]);
    assert_eq!(code, "NotFound");
}

#[test]
fn its_renewed_serial_counts_from_its_first_use_on() {
    let Some(site) = Site::joined() else { return };
    site.call("first", &["-into", &site.pair.path("second"), "renew"]);
    // Not used yet: the old one still counts, as after an answer that was lost.
    site.call("first", &["post-status"]);
    site.call("second", &["post-status"]);
    assert_eq!(site.reason("first", &["post-status"]), "AGENT_NOT_ACTIVE");
    site.call("second", &["post-status"]);
}

#[test]
fn it_is_told_that_it_was_evicted() {
    let Some(site) = Site::joined() else { return };
    site.pair.cli(&["agent", "evict", "-spiffeID", &site.id("first")]).expect_success();
    assert_eq!(site.reason("first", &["post-status"]), "AGENT_NOT_ATTESTED");
}

#[test]
fn it_is_told_that_it_is_banned() {
    let Some(site) = Site::joined() else { return };
    site.pair.cli(&["agent", "ban", "-spiffeID", &site.id("first")]).expect_success();
    assert_eq!(site.reason("first", &["post-status"]), "AGENT_BANNED");
}

#[test]
fn it_is_told_that_its_svid_has_expired() {
    let Some(site) = Site::with("    agent_ttl = \"2s\"", JOIN_TOKEN) else { return };
    let token = site.pair.token();
    site.attest("first", &["-token", &token]);
    finial_testkit::until("expired SVID", || {
        (site.run("call", "first", &["post-status"]).status.code() == Some(2)).then_some(())
    });
    assert_eq!(site.reason("first", &["post-status"]), "AGENT_EXPIRED");
}

#[test]
fn it_may_call_nothing_but_the_open_methods_without_a_certificate() {
    let Some(site) = Site::joined() else { return };
    site.call("first", &["-anonymous", "bundle"]);
    let [code, message, reason] = site.refusal("first", &["-anonymous", "entries"]);
    assert_eq!(code, "PermissionDenied");
    let method = "/spire.api.server.entry.v1.Entry/GetAuthorizedEntries";
    assert_eq!((message, reason.as_str()), (format!("authorization denied for method {method}"), ""));
}

/// A PKI of somebody else's, made by openssl, and the server that takes certificates of it as evidence.
fn of_a_pki(key: &[&str]) -> Option<Site> {
    let openssl = peer("openssl", installed("openssl"))?;
    let folder = tempfile::tempdir().expect("a folder for the PKI");
    let make =
        |args: &[&str]| run(Command::new(&openssl).current_dir(folder.path()).args(args)).expect_success();
    let ca =
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509", "-subj", "/CN=machines"];
    make(&[&["req"], &ca[..], &["-keyout", "ca.key", "-out", "ca.pem"]].concat());
    let leaf = ["-nodes", "-x509", "-subj", "/CN=host-7", "-CA", "ca.pem", "-CAkey", "ca.key"];
    let usage =
        ["-addext", "keyUsage=critical,digitalSignature", "-addext", "basicConstraints=critical,CA:FALSE"];
    make(&[&["req"], key, &leaf[..], &usage, &["-keyout", "leaf.key", "-out", "leaf.pem"]].concat());
    let ca = folder.path().join("ca.pem").display().to_string();
    let attestor = format!("NodeAttestor \"x509pop\" {{ plugin_data {{ ca_bundle_path = \"{ca}\" }} }}");
    let site = Site::with("", &attestor)?;
    for name in ["leaf.pem", "leaf.key"] {
        std::fs::copy(folder.path().join(name), site.pair.path(name)).expect("a copy");
    }
    Some(site)
}

impl Site {
    fn attest_by_certificate(&self, state: &str) -> Value {
        let (certificate, key) = (self.pair.path("leaf.pem"), self.pair.path("leaf.key"));
        self.attest(state, &["-x509pop-cert", &certificate, "-x509pop-key", &key])
    }
}

const EC: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: &[&str] = &["-newkey", "rsa:2048"];

#[test]
fn it_attests_with_a_certificate_of_either_kind_of_key() {
    for key in [EC, RSA] {
        let Some(site) = of_a_pki(key) else { return };
        let answer = site.attest_by_certificate("first");
        assert!(text(&answer, "id").starts_with("spiffe://example.org/spire/agent/x509pop/"), "{answer}");
        assert_eq!(answer["reattestable"], true);
        let agents = site.pair.cli(&["agent", "show", "-spiffeID", &text(&answer, "id")]).expect_success();
        assert!(agents.contains("x509pop:subject:cn:host-7"), "{agents}");
    }
}

#[test]
fn it_is_told_to_attest_again_instead_of_renewing_when_it_can() {
    let Some(site) = of_a_pki(EC) else { return };
    site.attest_by_certificate("first");
    let renewal = ["-into", &site.pair.path("second"), "renew"];
    assert_eq!(site.reason("first", &renewal), "AGENT_MUST_REATTEST");
    site.attest_by_certificate("second");
    assert_eq!(site.reason("first", &["post-status"]), "AGENT_NOT_ACTIVE");
    site.call("second", &["post-status"]);
}

#[test]
fn it_comes_back_after_an_eviction_but_not_after_a_ban() {
    let Some(site) = of_a_pki(EC) else { return };
    site.attest_by_certificate("first");
    let id = site.id("first");
    site.pair.cli(&["agent", "evict", "-spiffeID", &id]).expect_success();
    site.attest_by_certificate("second");
    site.pair.cli(&["agent", "ban", "-spiffeID", &id]).expect_success();
    let (certificate, key) = (site.pair.path("leaf.pem"), site.pair.path("leaf.key"));
    let refused = site.run("attest", "third", &["-x509pop-cert", &certificate, "-x509pop-key", &key]);
    let refused = json(&refused.stdout);
    assert_eq!(refused["code"], "PermissionDenied");
    assert_eq!(refused["message"], "failed to attest: agent is banned");
}

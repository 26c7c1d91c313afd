//! Our agent on a stand-in for a stock SPIRE server, which speaks grpc-go and the API stubs that SPIRE publishes: it
//! knows only the standard calls, so that the agent has to poll.

use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Finished, Pair, Process, go_peer, run, until};

use crate::peers::peer;

const TOKEN: &str = "the-token";
const WEB: &str = "spiffe://example.org/web";

struct Site {
    pair: Pair,
    server: Process,
}

impl Site {
    fn with(agent_ttl: &str) -> Option<Self> {
        let program = peer("spire-api-sdk", go_peer("server"))?;
        let pair = Pair::new();
        let mut server = start(&program, &pair, agent_ttl);
        server.wait_for_log("listening");
        Some(Self { pair, server })
    }

    fn found() -> Option<Self> {
        Self::with("1h")
    }

    fn agent(&self) -> Process {
        self.pair.agent(&["-joinToken", TOKEN, "-trustBundle", &self.pair.path("bundle.pem")])
    }

    /// An agent that hands `/web` to this user.
    fn joined(&mut self) -> Process {
        let agent = self.agent();
        self.server.tell(&format!("entry web /web unix:uid:{}", user()));
        self.serves_web();
        agent
    }

    fn serves_web(&self) {
        until("identity from the agent", || self.fetch().stdout.contains(WEB).then_some(()));
    }

    fn fetch(&self) -> Finished {
        self.pair.cli(&["api", "fetch", "x509"])
    }

    fn count(&self, line: &str) -> usize {
        self.server.log().lines().filter(|logged| *logged == line).count()
    }
}

fn start(program: &Path, pair: &Pair, agent_ttl: &str) -> Process {
    let address = format!("127.0.0.1:{}", pair.port());
    let bundle = PathBuf::from(pair.path("bundle.pem"));
    let mut command = Command::new(program);
    command.args(["-listen", &address, "-token", TOKEN, "-agent-ttl", agent_ttl, "-bundle"]).arg(bundle);
    Process::spawn_listening("stand-in server", &mut command)
}

fn user() -> String {
    run(Command::new("id").arg("-u")).expect_success().trim().to_owned()
}

#[test]
fn our_agent_joins_it_and_serves_both_kinds_of_svid() {
    let Some(mut site) = Site::found() else { return };
    let _agent = site.joined();
    let token = site.pair.cli(&["api", "fetch", "jwt", "-audience", "accounts"]).expect_success();
    let token = token.lines().nth(1).expect("a token").trim().to_owned();
    let valid = site.pair.cli(&["api", "validate", "jwt", "-audience", "accounts", "-svid", &token]);
    assert!(valid.expect_success().contains("SVID is valid."));
}

#[test]
fn our_agent_learns_by_polling_that_an_entry_came_changed_and_went() {
    let Some(mut site) = Site::found() else { return };
    let _agent = site.joined();
    site.server.tell(&format!("entry api /api unix:uid:{}", user()));
    until("second identity", || site.fetch().stdout.contains("spiffe://example.org/api").then_some(()));
    site.server.tell("entry api /api unix:uid:4294967294");
    until("one identity", || (!site.fetch().stdout.contains("/api")).then_some(()));
    site.server.tell("remove web");
    until("no identity", || site.fetch().stderr.contains("no identity issued").then_some(()));
}

#[test]
fn our_agent_asks_once_for_pushed_changes_and_keeps_its_one_connection() {
    let Some(mut site) = Site::found() else { return };
    let _agent = site.joined();
    let syncs = site.count("call SyncAuthorizedEntries");
    until("two more syncs", || (site.count("call SyncAuthorizedEntries") >= syncs + 2).then_some(()));
    assert_eq!(site.count("unknown /finial.agent.v1.Changes/Watch"), 1, "{}", site.server.log());
    assert_eq!(site.count("call AttestAgent"), 1);
}

#[test]
fn our_agent_renews_and_its_new_serial_number_becomes_active() {
    let Some(mut site) = Site::with("8s") else { return };
    let _agent = site.joined();
    until("second renewal", || (site.count("activated") >= 2).then_some(()));
    site.serves_web();
    assert_eq!(site.count("denied AGENT_NOT_ACTIVE"), 0, "{}", site.server.log());
}

#[test]
fn our_agent_ends_naming_the_remedy_when_the_server_no_longer_knows_it() {
    for reason in
        ["AGENT_NOT_ATTESTED", "AGENT_NOT_ACTIVE", "AGENT_EXPIRED", "AGENT_BANNED", "AGENT_MUST_REATTEST"]
    {
        let Some(mut site) = Site::found() else { return };
        let mut agent = site.joined();
        site.server.tell(&format!("deny {reason}"));
        let status = agent.wait();
        assert!(!status.success(), "{reason}");
        let log = agent.log();
        assert!(log.contains("finial token generate") || log.contains("agent evict"), "{reason}:\n{log}");
    }
}

#[test]
fn our_agent_serves_what_it_holds_while_the_server_is_away() {
    let Some(mut site) = Site::found() else { return };
    let _agent = site.joined();
    site.server.kill();
    site.fetch().expect_success();
}

//! The units of server and agent from start to stop: ready when they serve, started again whatever ends them, watched,
//! and none the worse for a new authority.

use finial_testkit::{free_port, run, until};
use serde_json::Value;

use super::system::{AGENT_SOCKET, SERVER, System};

const UNITS: [&str; 2] = ["finial-server.service", "finial-agent.service"];
/// Instead of half a minute, so that a test need not wait for that.
const WATCHDOG: &str = "[Service]\nWatchdogSec=5s\n";

#[test]
fn units_of_server_and_agent_come_back_from_whatever_ends_them() {
    let Some(system) = System::boot(free_port()) else { return };
    // A start is over when the program serves: nothing is waited for here.
    system.start();
    system.entry(SERVER, "web.service");
    system.is_served("at first");

    for unit in UNITS {
        let killed = system.property(unit, "MainPID");
        system.systemctl(&["kill", "--kill-whom=main", "--signal=KILL", unit]);
        system.comes_back(unit, &killed);
    }
    system.is_served("after both were killed");

    for unit in UNITS {
        system.write(&format!("/etc/systemd/system/{unit}.d/watchdog.conf"), WATCHDOG);
    }
    system.systemctl(&["daemon-reload"]);
    for unit in UNITS {
        system.systemctl(&["restart", unit]);
        let hung = system.property(unit, "MainPID");
        system.systemctl(&["kill", "--kill-whom=main", "--signal=STOP", unit]);
        system.comes_back(unit, &hung);
        let said = format!("{unit}: Watchdog timeout");
        assert!(system.journal().contains(&said), "{}", system.journal());
    }
    system.is_served("after both had hung");

    system.rotate();
    system.is_served("by another authority");

    for unit in UNITS {
        system.systemctl(&["stop", unit]);
        let end = ["Result", "ExecMainStatus", "ActiveState"].map(|name| system.property(unit, name));
        assert_eq!(end, ["success", "0", "inactive"], "{unit}\n{}", system.journal());
    }
}

impl System {
    /// Waits until systemd has started another process of a unit, which says that it is ready.
    fn comes_back(&self, unit: &str, ended: &str) {
        until(unit, || {
            let now = ["MainPID", "ActiveState", "NRestarts"].map(|name| self.property(unit, name));
            (now[0] != ended && now[1] == "active" && now[2] == "1").then_some(())
        });
    }

    /// Waits until a service gets its identity.
    fn is_served(&self, when: &str) {
        until(when, || {
            let mut command = self.machine.command("systemd-run");
            command.args(["--wait", "--pipe", "--quiet", "--collect", "--unit", "web"]);
            command.args([&format!("--setenv={AGENT_SOCKET}"), "finial", "api", "fetch", "x509"]);
            run(&mut command).stdout.contains(SERVER).then_some(())
        });
    }

    /// Has another authority sign, and forgets the old one when the agent has an identity of the new one.
    fn rotate(&self) {
        let serial_number = || text(&self.ask(&["agent", "list"]), "/agents/0/x509svid_serial_number");
        let authority =
            |verb: &str, args: &[&str]| self.ask(&[&["localauthority", "x509", verb], args].concat());
        let (old, before) = (text(&authority("show", &[]), "/active/authority_id"), serial_number());
        let new = text(&authority("prepare", &[]), "/prepared_authority/authority_id");
        authority("activate", &["-authorityID", &new]);
        authority("taint", &["-authorityID", &old]);
        until("agent's certificate of the new authority", || (serial_number() != before).then_some(()));
        authority("revoke", &["-authorityID", &old]);
    }

    fn ask(&self, args: &[&str]) -> Value {
        let answer = self.server(&[args, &["-output", "json"]].concat());
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("not JSON ({error}): {answer}"))
    }
}

fn text(answer: &Value, pointer: &str) -> String {
    let value = answer.pointer(pointer).and_then(Value::as_str);
    value.unwrap_or_else(|| panic!("no {pointer} in {answer}")).to_owned()
}

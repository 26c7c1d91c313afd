//! The transcripts of `tests/cli`: each command line is run as it stands there, under the names that SPIRE's users know.
//!
//! ```text
//! # A line that begins with # is for the reader; `# trust domain: td` chooses another than example.org.
//! $ spire-server entry count            what a shell is told
//! > …                                   more of it, on lines of its own
//! 0 registration entries                what it prints
//! 2> Error: …                           what it complains of
//! ? 1                                   how it ends, when not with 0
//! ```
//!
//! What differs from run to run stands there as `{uuid}`, `{time}`, `{span}`, `{secret}`, `{version}` or `{dir}`. With
//! `FINIAL_TRANSCRIBE=1` the files are written anew, for somebody to look at what has changed.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Dev, finial, run};

/// A command, and all that came of it.
struct Step {
    commands: String,
    came: String,
}

/// What stands before the first command, and the commands.
fn parts(text: &str) -> (String, Vec<Step>) {
    let (mut head, mut steps) = (String::new(), Vec::<Step>::new());
    for line in text.lines() {
        match (line.strip_prefix("$ "), line.strip_prefix("> "), steps.last_mut()) {
            (Some(command), _, _) => {
                steps.push(Step { commands: format!("{command}\n"), came: String::new() });
            }
            (None, Some(more), Some(step)) if step.came.is_empty() => {
                let _ = writeln!(step.commands, "{more}");
            }
            (None, _, Some(step)) => {
                let _ = writeln!(step.came, "{line}");
            }
            (None, _, None) => {
                let _ = writeln!(head, "{line}");
            }
        }
    }
    (head, steps)
}

/// Follows one transcript in a trust domain of its own.
fn follow(name: &str) {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, steps) = parts(&text);
    let trust_domain = head.lines().find_map(|line| line.strip_prefix("# trust domain: "));
    let dev = Dev::serving(trust_domain.unwrap_or("example.org"));
    let bin = dev.folder().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["finial", "spire-server", "spire-agent"] {
        symlink(finial(), bin.join(name)).unwrap();
    }
    let mut said = head.clone();
    for step in &steps {
        for (number, line) in step.commands.lines().enumerate() {
            let _ = writeln!(said, "{} {line}", if number == 0 { "$" } else { ">" });
        }
        said += &came(&dev, &bin, &step.commands);
        // Comments and empty lines between commands are the writer's.
        let is_writers = |line: &&str| line.is_empty() || line.starts_with("# ");
        let writers: Vec<_> = step.came.lines().rev().take_while(is_writers).collect();
        writers.iter().rev().for_each(|line| said += &format!("{line}\n"));
    }
    if std::env::var_os("FINIAL_TRANSCRIBE").is_some() {
        return std::fs::write(&path, said).unwrap();
    }
    for (number, (line, wanted)) in said.lines().zip(text.lines()).enumerate() {
        let place = format!("tests/cli/{name}:{}", number + 1);
        assert_eq!(line, wanted, "{place} is not what comes of it. All of it:\n{said}");
    }
    assert_eq!(said.lines().count(), text.lines().count(), "tests/cli/{name}. All of it:\n{said}");
}

/// What comes of a command, with what differs from run to run put out of the way.
fn came(dev: &Dev, bin: &Path, commands: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", commands]).current_dir(dev.folder());
    command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    command.env("SPIFFE_ENDPOINT_SOCKET", dev.endpoint());
    command.env("SPIRE_SERVER_PRIVATE_SOCKET", dev.server_socket());
    command.env("LC_ALL", "C").env_remove("COLUMNS");
    let finished = run(&mut command);
    let folder = dev.folder().display().to_string();
    let mask =
        |text: &str| masked(&text.replace(&folder, "{dir}").replace(env!("CARGO_PKG_VERSION"), "{version}"));
    // The empty line at the end of an entry looks like one between commands.
    let mut said = mask(finished.stdout.trim_end_matches('\n'));
    for line in mask(&finished.stderr).lines() {
        let _ = writeln!(said, "{}", format!("2> {line}").trim_end());
    }
    match finished.status.code() {
        Some(0) => {}
        code => said += &format!("? {}\n", code.unwrap_or(-1)),
    }
    said
}

/// The text without identifiers, times, spans and secrets.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut is_pem = false;
    for line in text.lines() {
        is_pem &= !line.starts_with("-----END");
        if !is_pem {
            let _ = writeln!(out, "{}", masked_line(line));
        } else if !out.ends_with("{secret}\n") {
            out += "{secret}\n";
        }
        is_pem |= line.starts_with("-----BEGIN");
    }
    out
}

fn masked_line(line: &str) -> String {
    let is_part = |letter: char| letter.is_alphanumeric() || "-_+/=.:".contains(letter);
    let (mut out, mut run) = (String::new(), String::new());
    for letter in line.chars() {
        if is_part(letter) {
            run.push(letter);
            continue;
        }
        out += &masked_run(&std::mem::take(&mut run));
        out.push(letter);
    }
    out + &masked_run(&run)
}

/// A run of letters, digits and what stands between them in identifiers.
fn masked_run(run: &str) -> String {
    if is_uuid(run) {
        return "{uuid}".to_owned();
    }
    if let Some((path, _)) = run.rsplit_once('/').filter(|(_, last)| is_uuid(last)) {
        return format!("{path}/{{uuid}}");
    }
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let is_of = |letters: &str| run.chars().all(|it| it.is_ascii_digit() || letters.contains(it));
    let is_seconds = digits == 10 && run.len() == 10;
    if is_seconds || (digits >= 6 && is_of("-:.TZ") && (run.contains(':') || run.matches('-').count() == 2)) {
        return "{time}".to_owned();
    }
    let unit = run.trim_start_matches(|it: char| it.is_ascii_digit() || it == '.');
    if run.len() > unit.len() && ["ns", "µs", "ms", "s"].contains(&unit) {
        return "{span}".to_owned();
    }
    if is_secret(run) { "{secret}".to_owned() } else { run.to_owned() }
}

/// Numbers, keys, documents and tokens, in digits, hex or base64. No name here is as long, but for those of variables.
fn is_secret(run: &str) -> bool {
    let is_all = |also: &str| run.chars().all(|it| it.is_ascii_alphanumeric() || also.contains(it));
    let is_short = run.len() < if run.contains('_') { 40 } else { 32 };
    // A slash is more often that of a path.
    (!is_short && is_all("-_=.")) || (run.len() >= 100 && is_all("+/="))
}

fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let is_fit = |(at, byte): (usize, u8)| {
        if dashes.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() }
    };
    text.len() == 36 && text.bytes().enumerate().all(is_fit)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli")
}

/// Each of `tests/cli`, and the test that follows it.
const TRANSCRIPTS: [&str; 9] = [
    "agent.txt",
    "bundle.txt",
    "entry.txt",
    "localauthority.txt",
    "mint.txt",
    "program.txt",
    "seed.txt",
    "spire-agent.txt",
    "token.txt",
];

#[test]
fn agents_of_a_server() {
    follow("agent.txt");
}

#[test]
fn bundles() {
    follow("bundle.txt");
}

#[test]
fn entries() {
    follow("entry.txt");
}

#[test]
fn authorities_of_both_kinds() {
    follow("localauthority.txt");
}

#[test]
fn minted_svids() {
    follow("mint.txt");
}

#[test]
fn the_programs_themselves() {
    follow("program.txt");
}

#[test]
fn entry_create_as_an_article_prints_it() {
    follow("seed.txt");
}

#[test]
fn the_agent_and_its_workload_api() {
    follow("spire-agent.txt");
}

#[test]
fn tokens() {
    follow("token.txt");
}

#[test]
fn every_transcript_is_followed() {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".txt"))
        .collect();
    names.sort();
    assert_eq!(names, TRANSCRIPTS);
}

#[test]
fn what_differs_from_run_to_run_is_masked_and_nothing_else() {
    for (text, mask) in [
        (
            "Entry ID                : 0b9a7c2e-6b7f-4a53-8f33-5e4c1d2b3a49",
            "Entry ID                : {uuid}",
        ),
        (
            "spiffe://td/spire/agent/join_token/0b9a7c2e-6b7f-4a53-8f33-5e4c1d2b3a49",
            "spiffe://td/spire/agent/join_token/{uuid}",
        ),
        ("Expires at: 2027-01-15 08:00:00 +0000 UTC", "Expires at: {time} {time} +0000 UTC"),
        ("expires \"2027-01-15T08:00:00Z\"", "expires \"{time}\""),
        ("{\"expires_at\":\"1800000000\",\"count\":12}", "{\"expires_at\":\"{time}\",\"count\":12}"),
        ("Received 1 svid(s) after 1.25ms", "Received 1 svid(s) after {span}"),
        ("  Authority ID: 5a1f0e5bd0f6c3b1b2a4c9d8e7f60123456789ab", "  Authority ID: {secret}"),
        ("\"x\": \"1-2345678-abcdefghijklmnopqrstuvwxyzABCDEFGH\"", "\"x\": \"{secret}\""),
        ("$SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE", "$SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE"),
        ("\"/tmp/spire-server/private/api.sock\"", "\"/tmp/spire-server/private/api.sock\""),
        ("eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOlsiZGIiXX0.c2lnbmF0dXJl", "{secret}"),
        ("Selector                : unix:uid:1000", "Selector                : unix:uid:1000"),
        (
            "SPIFFE ID               : spiffe://example.org/ns/spiffe-demo/x",
            "SPIFFE ID               : spiffe://example.org/ns/spiffe-demo/x",
        ),
        ("X509-SVID TTL           : 300", "X509-SVID TTL           : 300"),
    ] {
        assert_eq!(masked(text), format!("{mask}\n"));
    }
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\nMIIC\n-----END CERTIFICATE-----\n";
    assert_eq!(masked(pem), "-----BEGIN CERTIFICATE-----\n{secret}\n-----END CERTIFICATE-----\n");
}

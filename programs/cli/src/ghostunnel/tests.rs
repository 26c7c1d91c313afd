//! Command lines under both names, and what comes of them: the real parsers and the real checks.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use super::{Asked, Ghostunnel, read};
use crate::output::causes;
use crate::proxy::Command;
use crate::{Finial, Noun};

#[test]
fn every_flag_is_well_formed() {
    Ghostunnel::command().debug_assert();
}

/// Words stand apart by a space; an empty one is written `''`.
fn words(line: &str) -> Vec<OsString> {
    let words = line.split(' ').filter(|word| !word.is_empty());
    words.map(|word| OsString::from(if word == "''" { "" } else { word })).collect()
}

/// `ok`, or how the program called `ghostunnel` ends.
fn ghostunnel(line: &str) -> String {
    match read(words(line)) {
        Ok(Asked::Run(program)) => match program.config() {
            Ok(config) => match (config.check_usage(), config.check()) {
                (Err(error), _) => format!("ghostunnel: error: {}, try --help", causes(&error.into())),
                (Ok(()), Err(error)) => format!("error: {}", causes(&error.into())),
                (Ok(()), Ok(())) => "ok".to_owned(),
            },
            Err(error) => format!("error: {}", causes(&error)),
        },
        Ok(Asked::Help(_)) => "help".to_owned(),
        Ok(Asked::Version) => "version".to_owned(),
        Err(fault) => format!("ghostunnel: error: {}, try --help", causes(&fault.into())),
    }
}

/// `ok`, or how `finial proxy` ends; of a line that cannot be read the first line of what is said.
fn finial(line: &str) -> String {
    let words = ["finial".into(), "proxy".into()].into_iter().chain(words(line));
    let noun = match Finial::try_parse_from(words) {
        Ok(finial) => finial.noun,
        Err(error) => return error.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    let config = match noun {
        Noun::Proxy(Command::Server(run)) => run.config(),
        Noun::Proxy(Command::Client(run)) => run.config(),
        _ => panic!("{line}"),
    };
    match config.and_then(|config| Ok(config.check()?)) {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("error: {}", causes(&error)),
    }
}

const NO_SERVER: &str = "error: at least one of --keystore, --cert/--key, --auto-acme-cert, or --keychain-identity/issuer (if supported) flags is required";
const MANY_SERVER: &str = "error: --keystore, --cert/--key, --auto-acme-cert, and --keychain-identity/issuer flags are mutually exclusive";
const NO_CLIENT: &str = "error: at least one of --keystore, --cert/--key, --keychain-identity/issuer (if supported), --use-workload-api or --disable-authentication flags is required";
const MANY_CLIENT: &str = "error: --keystore, --cert/--key, --keychain-identity/issuer, --use-workload-api and --disable-authentication flags are mutually exclusive";
const HALF: &str = "error: --cert/--key must be set together, unless using PKCS11 for private key";
const NO_RULE: &str = "error: at least one access control flag (--allow-{all,cn,ou,dns,uri,spki-pin}, or OPA flags, or --disable-authentication) is required";
const ALL_AND: &str = "error: --allow-all is mutually exclusive with other access control flags";
const OPEN_AND: &str =
    "error: --disable-authentication is mutually exclusive with other access control flags";
const PINS_AND: &str = "error: --allow-spki-pin is mutually exclusive with other access control flags";
const UNSAFE_TARGET: &str =
    "error: --target must be unix:PATH or localhost:PORT (unless --unsafe-target is set)";
const UNSAFE_LISTEN: &str = "error: --listen must be unix:PATH, localhost:PORT, systemd:NAME or launchd:NAME (unless --unsafe-listen is set)";
const ACME_EMAIL: &str =
    "error: --auto-acme-cert was specified but no email address was provided with --auto-acme-email";
const ACME_TERMS: &str =
    "error: --auto-acme-agree-to-tos was not specified and is required if --auto-acme-cert is specified";
const ACME: &str = "error: --auto-acme-cert is not served: certificates are not fetched by ACME: let an ACME client write them, name the files by --cert and --key, and send SIGHUP when they change";
const OPA: &str = "is not served: policies of OPA are not read: name the peers by the other flags, such as --allow-uri or --verify-uri";
const PKCS11: &str = "error: --pkcs11-module is not served: keys in tokens are not used: name a file by --key, or use the Workload API";
const KEYCHAIN: &str = "error: --keychain-identity is not served: keychains are of macOS and Windows: name files by --cert and --key, or use the Workload API";
const PIN: &str = "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A line with short words for its long parts: a whole server or client, and where its certificate comes from.
fn full(line: &str) -> String {
    let mut line =
        line.replace("SERVER", "server --listen=0.0.0.0:1 --target=localhost:2 --keystore=k --allow-all");
    for (word, text) in [
        ("CLIENT", "client --listen=localhost:1 --target=b.test:2 --keystore=k"),
        ("IN", "server --listen=:1 --target=localhost:2"),
        ("OUT", "client --listen=localhost:1 --target=b.test:2"),
        ("AGENT", "--use-workload-api-addr=unix:///run/agent.sock"),
        ("PAIR", "--cert=c --key=k"),
        ("PIN", PIN),
    ] {
        line =
            line.split(' ').map(|part| if part == word { text } else { part }).collect::<Vec<_>>().join(" ");
    }
    line
}

/// Each outcome is that of both names, since no line here is read in two ways.
fn check(table: &[(&str, &str)]) {
    for (short, outcome) in table {
        let line = full(short);
        assert_eq!(ghostunnel(&line), *outcome, "ghostunnel {line}");
        assert_eq!(finial(&line), *outcome, "finial proxy {line}");
    }
}

#[test]
fn good_lines_are_good_under_both_names() {
    for line in [
        "SERVER",
        "CLIENT",
        "IN AGENT --allow-all",
        "IN PAIR --allow-cn a",
        "IN PAIR --cacert ca --allow-cn a --allow-cn b --allow-ou c --allow-dns d --allow-dns-san e",
        "IN PAIR --allow-ip 10.0.0.1 --allow-ip-san ::1 --allow-uri spiffe://a/** --allow-uri-san spiffe://*/b",
        "IN PAIR --allow-cn Ünïcode·名",
        "IN PAIR --allow-spki-pin PIN --allow-spki-pin PIN",
        "IN PAIR --disable-authentication",
        "IN AGENT --disable-authentication",
        "OUT PAIR --verify-cn a --verify-ou b --verify-dns c --verify-dns-san d",
        "OUT PAIR --verify-ip ::1 --verify-ip-san 10.0.0.1 --verify-uri spiffe://a/b --verify-uri-san **",
        "OUT --disable-authentication",
        "OUT --disable-authentication --cacert ca",
        "OUT --disable-authentication --verify-spki-pin PIN",
        "OUT AGENT --disable-authentication --verify-uri spiffe://a/b",
        "OUT AGENT --verify-uri spiffe://a/b",
        "CLIENT --override-server-name c.test",
        "CLIENT --proxy http://localhost:3128",
        "CLIENT --connect-proxy socks5://user:word@localhost",
        "server --listen unix:/run/a --target unix:/run/b --keystore k --allow-all",
        "server --listen systemd:a --target [::1]:2 --keystore k --allow-all",
        "server --listen :1 --target 10.0.0.1:2 --unsafe-target --keystore k --allow-all",
        "client --listen unix:/run/a --target b.test:2 --keystore k",
        "client --listen systemd:a --target b.test:2 --keystore k",
        "client --listen 0.0.0.0:1 --unsafe-listen --target b.test:2 --keystore k",
        "SERVER --status localhost:3 --enable-shutdown --metrics-prefix a",
        "SERVER --status http://localhost:3",
        "SERVER --status https://localhost:3",
        "SERVER --status unix:/run/status",
        "SERVER --status systemd:status",
        "SERVER --connect-timeout 1ms --shutdown-timeout 0 --close-timeout 0s --max-conn-lifetime 1h30m",
        "SERVER --timed-reload 300s --use-workload-api-timeout 0",
        "SERVER --max-concurrent-conns 0",
        "SERVER --max-concurrent-conns 4294967295",
        "SERVER --quiet all",
        "SERVER --quiet conns --quiet conn-errs --quiet handshake-errs",
        "SERVER --skip-resolve --use-landlock",
        "SERVER --proxy-protocol",
        "SERVER --proxy-protocol-mode conn",
        "SERVER --proxy-protocol-mode tls",
        "SERVER --proxy-protocol-mode tls-full",
        "SERVER --cipher-suites AES,CHACHA",
        "SERVER --cipher-suites=CHACHA --allow-unsafe-cipher-suites",
        "SERVER --max-tls-version TLS1.2",
        "SERVER --max-tls-version TLS1.3",
        "SERVER --max-tls-version=",
        "IN --keystore= PAIR --allow-all",
        "IN PAIR --allow-all --use-workload-api-addr= --status= --allow-policy= --allow-query= --auto-acme-cert= --pkcs11-module=",
    ] {
        check(&[(line, "ok")]);
    }
}

#[test]
fn a_server_has_one_certificate() {
    check(&[
        ("IN --allow-all", NO_SERVER),
        ("IN --allow-all --cert c", NO_SERVER),
        ("IN --allow-all --key k", NO_SERVER),
        ("IN --allow-all --cacert ca", NO_SERVER),
        ("IN --allow-all --keystore k PAIR", MANY_SERVER),
        ("IN --allow-all --keystore k AGENT", MANY_SERVER),
        ("IN --allow-all PAIR AGENT", MANY_SERVER),
        ("IN --allow-all PAIR --auto-acme-cert a.test", MANY_SERVER),
        ("IN --allow-all PAIR --keychain-identity a", MANY_SERVER),
        ("IN --allow-all PAIR --keychain-issuer a", MANY_SERVER),
        ("IN --allow-all PAIR --pkcs11-module m", MANY_SERVER),
        ("IN --allow-all --keystore k --cert c", HALF),
        ("IN --allow-all --keystore k --key k", HALF),
        ("IN --allow-all AGENT --key k", HALF),
    ]);
}

#[test]
fn a_client_has_one_certificate_or_says_that_it_has_none() {
    check(&[
        ("OUT", NO_CLIENT),
        ("OUT --cert c", NO_CLIENT),
        ("OUT --keystore k PAIR", MANY_CLIENT),
        ("OUT --keystore k AGENT", MANY_CLIENT),
        ("OUT --keystore k --disable-authentication", MANY_CLIENT),
        ("OUT PAIR --disable-authentication", MANY_CLIENT),
        ("OUT --keystore k AGENT --disable-authentication", MANY_CLIENT),
        ("OUT --cert c --disable-authentication", HALF),
    ]);
}

#[test]
fn a_server_says_whom_it_permits_in_one_way() {
    check(&[
        ("IN --keystore k", NO_RULE),
        ("IN --keystore k --allow-all --allow-cn a", ALL_AND),
        ("IN --keystore k --allow-all --allow-ip ::1", ALL_AND),
        ("IN --keystore k --allow-all --allow-spki-pin PIN", ALL_AND),
        ("IN --keystore k --allow-all --allow-query q", ALL_AND),
        ("IN --keystore k --disable-authentication --allow-all", OPEN_AND),
        ("IN --keystore k --disable-authentication --allow-uri spiffe://a/b", OPEN_AND),
        ("IN --keystore k --disable-authentication --allow-spki-pin PIN", OPEN_AND),
        ("IN --keystore k --disable-authentication --allow-policy p", OPEN_AND),
        ("IN --keystore k --allow-spki-pin PIN --allow-cn a", PINS_AND),
        ("IN --keystore k --allow-spki-pin PIN --allow-policy p", PINS_AND),
        (
            "IN AGENT --allow-spki-pin PIN",
            "error: --allow-spki-pin is mutually exclusive with --use-workload-api",
        ),
        (
            "OUT AGENT --verify-spki-pin PIN",
            "error: --verify-spki-pin is mutually exclusive with --use-workload-api",
        ),
        (
            "CLIENT --verify-spki-pin PIN --verify-cn a",
            "error: --verify-spki-pin is mutually exclusive with other verification flags",
        ),
        (
            "IN --keystore k --allow-uri spiffe://a/b*",
            "error: invalid URI pattern in --allow-uri flag (`spiffe://a/b*`): wildcard '*' can only appear between two separators",
        ),
        (
            "CLIENT --verify-uri=",
            "error: invalid URI pattern in --verify-uri flag (``): input pattern was empty string",
        ),
    ]);
}

#[test]
fn addresses_are_where_they_may_be() {
    let server = |addresses: &str| format!("server {addresses} --keystore k --allow-all");
    let client = |addresses: &str| format!("client {addresses} --keystore k");
    for (line, outcome) in [
        (server("--listen :1 --target b.test:2"), UNSAFE_TARGET),
        (server("--listen :1 --target 127.0.0.1"), UNSAFE_TARGET),
        (server("--listen :1 --target="), UNSAFE_TARGET),
        (server("--listen :1 --target LOCALHOST:2"), UNSAFE_TARGET),
        (
            server("--listen :1 --target unix:"),
            "error: invalid --target address: `unix:` names no path: write unix:PATH",
        ),
        (
            server("--listen :1 --target localhost:99999"),
            "error: invalid --target address: `localhost:99999` has a port that is no number from 0 to 65535",
        ),
        (
            server("--listen :1 --target systemd:a"),
            "error: invalid --target network \"systemd\": only tcp and unix targets are supported (systemd:/launchd: cannot be dialed)",
        ),
        (
            server("--listen :1 --target launchd:a"),
            "error: invalid --target address: `launchd:a` is a socket of launchd, which is not on this system: use HOST:PORT or unix:PATH",
        ),
        (
            server("--listen= --target localhost:2"),
            "error: invalid --listen address: `` has no port: write HOST:PORT",
        ),
        (
            server("--listen launchd:a --target localhost:2"),
            "error: invalid --listen address: `launchd:a` is a socket of launchd, which is not on this system: use HOST:PORT or unix:PATH",
        ),
        (client("--listen 0.0.0.0:1 --target b.test:2"), UNSAFE_LISTEN),
        (client("--listen :1 --target b.test:2"), UNSAFE_LISTEN),
        (
            client("--listen localhost:1 --target unix:/run/a"),
            "error: invalid --target network \"unix\": client mode requires a HOST:PORT TCP target",
        ),
        (
            client("--listen localhost:1 --target b.test"),
            "error: invalid --target address: `b.test` has no port: write HOST:PORT",
        ),
    ] {
        check(&[(&line, outcome)]);
    }
}

#[test]
fn what_is_not_served_is_refused_by_name_after_its_own_rules() {
    check(&[
        ("IN --allow-all --auto-acme-cert a.test", ACME_EMAIL),
        ("IN --allow-all --auto-acme-cert a.test --auto-acme-agree-to-tos", ACME_EMAIL),
        ("IN --allow-all --auto-acme-cert a.test --auto-acme-email a@a.test", ACME_TERMS),
        ("IN --allow-all --auto-acme-cert a.test --auto-acme-email a@a.test --auto-acme-agree-to-tos", ACME),
        ("SERVER --auto-acme-email a --auto-acme-ca b --auto-acme-testca c", "ok"),
        ("SERVER --auto-acme-renew-check-interval 1s --auto-acme-alt-tls-alpn-port 1", "ok"),
        (
            "IN --keystore k --allow-policy p",
            "error: --allow-policy and --allow-query have to be used together",
        ),
        (
            "IN --keystore k --allow-query q",
            "error: --allow-policy and --allow-query have to be used together",
        ),
        ("CLIENT --verify-policy p", "error: --verify-policy and --verify-query have to be used together"),
        ("CLIENT --verify-query q", "error: --verify-policy and --verify-query have to be used together"),
        ("IN --keystore k --allow-policy p --allow-query q", &format!("error: --allow-policy {OPA}")),
        ("CLIENT --verify-policy p --verify-query q", &format!("error: --verify-policy {OPA}")),
        ("IN --allow-all --cert c --pkcs11-module m --pkcs11-token-label l --pkcs11-pin p", PKCS11),
        ("OUT --cert c --pkcs11-module m", PKCS11),
        ("IN --allow-all --keychain-identity a", KEYCHAIN),
        ("OUT --keychain-issuer a --keychain-require-token", KEYCHAIN),
        (
            "SERVER --syslog",
            "error: --syslog is not served: the log goes to standard output; let systemd, or a pipe to logger(1), pass it on",
        ),
        (
            "CLIENT --eventlog",
            "error: --eventlog is not served: it is of Windows; the log goes to standard output",
        ),
        (
            "SERVER --cipher-suites UNSAFE-AZURE --allow-unsafe-cipher-suites",
            "error: --cipher-suites=UNSAFE-AZURE is not served: a suite in CBC mode is not served: let both ends agree on AES",
        ),
    ]);
}

#[test]
fn suites_and_versions_are_known_ones() {
    check(&[
        ("SERVER --cipher-suites RC4", "error: invalid cipher suite 'RC4' selected"),
        ("SERVER --cipher-suites AES,", "error: invalid cipher suite '' selected"),
        ("SERVER --cipher-suites=", "error: invalid cipher suite '' selected"),
        ("SERVER --cipher-suites aes", "error: invalid cipher suite 'aes' selected"),
        ("CLIENT --cipher-suites UNSAFE-AZURE", "error: invalid cipher suite 'UNSAFE-AZURE' selected"),
        (
            "SERVER --max-tls-version TLS1.1",
            "error: invalid --max-tls-version 'TLS1.1': use TLS1.2 or TLS1.3",
        ),
        ("CLIENT --max-tls-version 1.3", "error: invalid --max-tls-version '1.3': use TLS1.2 or TLS1.3"),
    ]);
}

/// One fault after another is taken out of a line that has them all.
#[test]
fn faults_of_a_server_come_in_ghostunnels_order() {
    let mut faults = vec![
        (
            "--proxy-protocol-mode=conn --proxy-protocol",
            "error: --proxy-protocol and --proxy-protocol-mode are mutually exclusive",
        ),
        ("--cipher-suites=X", "error: invalid cipher suite 'X' selected"),
        (
            "--allow-uri=*a",
            "error: invalid URI pattern in --allow-uri flag (`*a`): wildcard '*' can only appear between two separators",
        ),
        ("--listen=x", "error: invalid --listen address: `x` has no port: write HOST:PORT"),
    ];
    while !faults.is_empty() {
        let listen =
            if faults.iter().any(|(flag, _)| flag.starts_with("--listen")) { "" } else { "--listen=:1" };
        let flags = faults.iter().map(|(flag, _)| *flag).collect::<Vec<_>>().join(" ");
        let allow = if flags.contains("--allow-uri") { "" } else { "--allow-cn=a" };
        let line = format!("server {flags} {listen} --target=localhost:2 --keystore=k {allow}");
        check(&[(&line, faults.remove(0).1)]);
    }
    let bad = "--listen=x --proxy-protocol --proxy-protocol-mode=tls --cipher-suites=X";
    check(&[
        (&format!("server {bad} --target=b:1 --allow-all --allow-cn=a --keystore=k AGENT"), MANY_SERVER),
        (&format!("server {bad} --target=b:1 --allow-all --allow-cn=a --keystore=k"), ALL_AND),
        (&format!("server {bad} --target=b:1 --allow-all --auto-acme-cert=a"), UNSAFE_TARGET),
        (&format!("server {bad} --target=localhost:1 --allow-query=q --auto-acme-cert=a"), ACME_EMAIL),
        (
            &format!("server {bad} --target=localhost:1 --allow-query=q --keystore=k"),
            "error: --allow-policy and --allow-query have to be used together",
        ),
    ]);
}

#[test]
fn faults_of_a_client_come_in_ghostunnels_order() {
    let bad = "--cipher-suites=X --verify-spki-pin=x --verify-query=q";
    check(&[
        (&format!("client {bad} --listen=:1 --target=unix:a PAIR AGENT"), MANY_CLIENT),
        (&format!("client {bad} --listen=:1 --target=unix:a PAIR"), UNSAFE_LISTEN),
        (
            &format!("client {bad} --listen=localhost:1 --target=unix:a PAIR"),
            "error: invalid --target network \"unix\": client mode requires a HOST:PORT TCP target",
        ),
        (
            &format!("client {bad} --listen=localhost:1 --target=b:1 PAIR"),
            "error: --verify-policy and --verify-query have to be used together",
        ),
        (
            "client --cipher-suites=X --verify-spki-pin=x --listen=localhost:1 --target=b:1 PAIR",
            "error: invalid pin \"x\": expected format <algo>:<base64-digest>",
        ),
        (
            "client --cipher-suites=X --verify-uri=*a --listen=localhost:1 --target=b:1 PAIR",
            "error: invalid cipher suite 'X' selected",
        ),
    ]);
}

/// What ghostunnel checks before it logs, in its order.
#[test]
fn usage_is_told_with_a_hint_at_the_help() {
    for (flags, fault) in [
        ("--enable-shutdown --connect-timeout 0", "--enable-shutdown requires --status to be set"),
        (
            "--status http://unix:a --connect-timeout 0",
            "invalid --status network \"unix\": http(s):// scheme requires a HOST:PORT target",
        ),
        ("--status x --connect-timeout 0", "invalid --status address: `x` has no port: write HOST:PORT"),
        ("--connect-timeout 0", "--connect-timeout duration must not be zero"),
        (
            "--use-workload-api-timeout=-1s",
            "--use-workload-api-timeout duration must not be negative (use 0 to wait indefinitely)",
        ),
        (
            "--close-timeout 5",
            "--close-timeout: `5` is no duration: write a number and a unit, such as 90s, 1h30m or 500ms",
        ),
        ("--max-concurrent-conns x", "--max-concurrent-conns: invalid digit found in string"),
        ("--max-concurrent-conns=-1", "--max-concurrent-conns: -1 is not in 0..=4294967295"),
        ("--quiet loud", "enum value must be one of ,all,conns,handshake-errs,conn-errs, got 'loud'"),
        ("--proxy-protocol-mode v1", "enum value must be one of conn,tls,tls-full, got 'v1'"),
        ("--allow-ip localhost", "--allow-ip: 'localhost' is not an IP address"),
        ("--bogus", "unknown long flag '--bogus'"),
        ("--keystore k", "flag 'keystore' cannot be repeated"),
        ("--status", "expected argument for flag '--status'"),
    ] {
        // Without a certificate there is a fault that would come later.
        let base = if flags.contains("keystore") { "SERVER" } else { "IN" };
        let line = full(&format!("{base} {flags}"));
        assert_eq!(ghostunnel(&line), format!("ghostunnel: error: {fault}, try --help"), "{line}");
    }
    assert_eq!(
        ghostunnel("server --keystore k"),
        "ghostunnel: error: required flag(s) '--listen', '--target' not provided, try --help"
    );
    assert_eq!(
        ghostunnel("client --listen a"),
        "ghostunnel: error: required flag(s) '--target' not provided, try --help"
    );
    let proxy = ghostunnel(&full("CLIENT --proxy ftp://user:secret@host"));
    assert!(
        proxy.starts_with("ghostunnel: error: --proxy: the scheme is neither http nor socks5"),
        "{proxy}"
    );
    assert!(!proxy.contains("secret"));
}

#[test]
fn lines_that_our_own_parser_refuses() {
    for (line, says) in [
        ("SERVER --bogus", "error: unexpected argument '--bogus' found"),
        ("SERVER extra", "error: unexpected argument 'extra' found"),
        ("SERVER --keystore l", "error: the argument '--keystore <FILE>' cannot be used multiple times"),
        ("SERVER --status", "error: a value is required for '--status <ADDRESS>' but none was supplied"),
        ("server --keystore k", "error: the following required arguments were not provided:"),
        ("serve", "error: unrecognized subcommand 'serve'"),
        ("CLIENT --quiet loud", "error: invalid value 'loud' for '--quiet <WHAT>'"),
    ] {
        assert_eq!(finial(&full(line)), says, "{line}");
    }
}

/// Where the ancestor has a trap, the name decides.
#[test]
fn each_name_keeps_its_ways() {
    for (line, called_ghostunnel, called_finial) in [
        (
            "OUT AGENT",
            "ok",
            "error: at least one verification flag (--verify-{cn,ou,dns,uri}) is required with --use-workload-api",
        ),
        (
            "IN AGENT --allow-all --cacert ca",
            "ok",
            "error: --cacert and --use-workload-api are mutually exclusive: the agent gives the authorities",
        ),
        ("SERVER --timed-reload 0", "ok", "error: --timed-reload duration must not be zero"),
        ("SERVER --no-unsafe-target", "ok", "error: unexpected argument '--no-unsafe-target' found"),
        ("SERVER --logLevel debug", "ghostunnel: error: unknown long flag '--logLevel', try --help", "ok"),
    ] {
        let line = full(line);
        assert_eq!(ghostunnel(&line), called_ghostunnel, "ghostunnel {line}");
        assert_eq!(finial(&line), called_finial, "finial proxy {line}");
    }
}

#[test]
fn ghostunnel_has_no_limit_of_connections_of_its_own() {
    let connections = |line: &str| {
        let Ok(Asked::Run(program)) = read(words(&full(line))) else { panic!("{line}") };
        match program.config().unwrap() {
            finial_proxy::Config::Server(config) => config.limits.connections,
            finial_proxy::Config::Client(config) => config.limits.connections,
        }
    };
    assert_eq!(connections("SERVER"), usize::MAX);
    assert_eq!(connections("CLIENT --max-concurrent-conns 0"), usize::MAX);
    assert_eq!(connections("SERVER --max-concurrent-conns 7"), 7);
}

//! What becomes of each command line.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::{CommandFactory, Parser};

use super::flags::{self, Fault};
use super::line::{self, Line};
use super::{Agent, AgentCommand, Server, ServerCommand};

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect()
}

fn told<P: Parser>(line: &str) -> (String, u8) {
    match line::read::<P>(words(line)) {
        Line::Run(..) => panic!("{line} runs"),
        Line::Told(text) => (text, 0),
        Line::Wrong(text, code) => (text, code),
    }
}

fn given(line: &str, command: &[&str]) -> Result<Vec<String>, Fault> {
    let server = Server::command();
    let command = command.iter().fold(&server, |at, name| at.find_subcommand(name).unwrap());
    let given = flags::read(&words(line), command)?;
    Ok(given.into_iter().map(|arg| arg.to_string_lossy().into_owned()).collect())
}

#[test]
fn both_programs_are_well_formed() {
    Server::command().debug_assert();
    Agent::command().debug_assert();
}

#[test]
fn the_version_is_told_before_all_else() {
    for line in ["-version", "--version", "-v", "-version entry create", "-foo -version"] {
        assert_eq!(told::<Server>(line), (concat!(env!("CARGO_PKG_VERSION"), "\n").to_owned(), 0), "{line}");
    }
    assert_ne!(told::<Server>("entry create -version").1, 0, "there it is a flag of the command");
}

#[test]
fn without_a_command_the_commands_are_listed() {
    let (help, code) = told::<Server>("-h");
    assert_eq!(code, 0);
    let begin =
        "Usage: spire-server [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n    agent ";
    assert!(help.starts_with(begin), "{help}");
    for noun in
        ["bundle", "entry", "healthcheck", "jwt", "localauthority", "run", "token", "validate", "x509"]
    {
        assert!(help.contains(&format!("\n    {noun} ")), "{noun} in {help}");
    }
    assert!(!help.contains("federation"), "what there is not is not listed");
    for line in ["", "nothing", "nothing -h", "-foo"] {
        assert_eq!(told::<Server>(line), (help.clone(), 127), "{line:?}");
    }
    let (help, code) = told::<Agent>("");
    assert!(code == 127 && help.contains("Usage: spire-agent ") && help.contains("\n    api "), "{help}");
}

#[test]
fn a_group_lists_its_commands() {
    let (help, code) = told::<Server>("entry");
    assert_eq!(code, 1);
    let begin =
        "This command is accessed by using one of the subcommands below.\n\nSubcommands:\n    count     ";
    assert!(help.starts_with(begin), "{help}");
    assert_eq!(told::<Server>("entry nothing"), (help.clone(), 1));
    assert_eq!(told::<Server>("entry -h"), (help, 0));
    assert!(told::<Server>("localauthority jwt").0.contains("\n    revoke "));
}

#[test]
fn a_command_tells_its_flags_as_gos_package_flag_does() {
    let (usage, code) = told::<Server>("token generate -h");
    assert_eq!(code, 0);
    assert!(usage.starts_with("Usage of token generate:\n  -instance string\n    \t"), "{usage}");
    for lines in [
        "\n  -output value\n    \tHow to print the answer (default pretty)\n",
        "\n  -ttl int\n    \tLife of the token in seconds (default 600)\n",
        "\n  -spiffeID string\n    \t",
    ] {
        assert!(usage.contains(lines), "{lines} in {usage}");
    }
    assert!(usage.ends_with("\nflag: help requested\n"), "{usage}");
    let (usage, _) = told::<Server>("entry create -help");
    assert!(usage.contains("\n  -admin\n    \t") && usage.contains("\n  -selector value\n    \t"), "{usage}");
    let (wrong, code) = told::<Server>("token generate -badflag");
    assert_eq!(code, 1);
    assert!(
        wrong.starts_with("flag provided but not defined: -badflag\nUsage of token generate:\n"),
        "{wrong}"
    );
}

#[test]
fn flags_before_the_command_are_refused() {
    let (text, code) = told::<Server>("-socketPath=/x entry count");
    assert_eq!(code, 1);
    assert!(
        text.starts_with("Invalid flags before the subcommand. If these flags are for\nthe subcommand, ")
    );
}

#[test]
fn flags_are_read_as_in_go() {
    let create = ["entry", "create"];
    for (line, read) in [
        ("-spiffeID a -parentID=b", &["--spiffeID=a", "--parentID=b"][..]),
        ("--spiffeID a --spiffe-id b", &["--spiffeID=b"]),
        ("-selector a:b -selector c:d", &["--selector=a:b", "--selector=c:d"]),
        ("-selector -h:x", &["--selector=-h:x"]),
        ("-node -admin=F -downstream=1", &["--node=true", "--admin=false", "--downstream=true"]),
        ("-hint=a=b -data -", &["--hint=a=b", "--data=-"]),
        ("-hint=", &["--hint="]),
    ] {
        assert_eq!(given(line, &create).unwrap(), read, "{line}");
    }
    assert_eq!(given("-verbose=false", &["healthcheck"]).unwrap(), Vec::<String>::new());
    for (line, text) in [
        ("-spiffeID", "flag needs an argument: -spiffeID"),
        ("-nothing x", "flag provided but not defined: -nothing"),
        ("-node=yes", "invalid boolean value \"yes\" for -node: parse error"),
        ("---node", "bad flag syntax: ---node"),
        ("-=x", "bad flag syntax: -=x"),
        ("-node true", "unexpected argument: \"true\""),
        ("-- -node", "unexpected argument: \"--\""),
        ("-", "unexpected argument: \"-\""),
    ] {
        assert_eq!(given(line, &create).unwrap_err().to_string(), text, "{line}");
    }
}

#[test]
fn blanks_before_a_flag_are_those_of_a_lost_line_break() {
    let server = Server::command();
    let create = server.find_subcommand("entry").unwrap().find_subcommand("create").unwrap();
    let read = |args: &[&str]| flags::read(&args.iter().map(OsString::from).collect::<Vec<_>>(), create);
    assert_eq!(read(&[" -spiffeID", "a", " -hint", " -b"]).unwrap(), ["--spiffeID=a", "--hint= -b"]);
    let odd = OsString::from_vec(b"-hint=\xff".to_vec());
    let expected = OsString::from_vec(b"--hint=\xff".to_vec());
    assert_eq!(flags::read(&[odd], create).unwrap(), [expected], "values are bytes");
}

#[test]
fn values_that_cannot_be_are_named_with_their_flag() {
    for (line, text) in [
        ("token generate -ttl x", "invalid value \"x\" for flag -ttl: invalid digit found in string\n"),
        ("bundle show -format x", "invalid value \"x\" for flag -format: it must be one of pem, spiffe\n"),
        ("entry create -data a -spiffeID b", "the argument '--data <FILE>' cannot be used with"),
    ] {
        let (told, code) = told::<Server>(line);
        assert!(code == 1 && told.starts_with(text), "{line}: {told}");
    }
}

#[test]
fn commands_are_those_of_spire() {
    let run = |line: &str| match line::read::<Server>(words(line)) {
        Line::Run(program, _) => program.command,
        Line::Told(text) | Line::Wrong(text, _) => panic!("{line}: {text}"),
    };
    assert!(matches!(run("run -config x"), ServerCommand::Here(_)));
    assert!(matches!(run("healthcheck -shallow -verbose"), ServerCommand::Here(_)));
    assert!(matches!(run("agent purge -dryRun"), ServerCommand::Agent(_)));
    assert!(matches!(run("x509 mint -spiffeID a -ttl 1h"), ServerCommand::Operator(_)));
    assert!(matches!(run("federation list -socketPath x"), ServerCommand::Operator(_)));
    for line in ["api fetch", "api fetch x509 -silent", "api fetch jwt -audience a,b", "healthcheck", "run"] {
        let Line::Run(agent, _) = line::read::<Agent>(words(line)) else { panic!("{line}") };
        assert_eq!(matches!(agent.command, AgentCommand::Api(_)), line.starts_with("api"), "{line}");
    }
}

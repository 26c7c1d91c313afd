//! Every command has a page, and every shell its script.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use clap::ValueEnum;
use clap_complete::Shell;

use super::{Man, programs};

#[test]
fn each_command_that_is_shown_has_a_page_with_its_flags() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("share/man/man1");
    Man { dir: dir.clone() }.run().unwrap();
    let page = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_else(|_| panic!("no {name}"));
    assert!(page("finial-entry-create.1").contains("spiffeID"));
    assert!(page("spire-server-localauthority-jwt-revoke.1").contains("authorityID"));
    let mut commands: Vec<_> =
        programs().into_iter().map(|program| (program.get_name().to_owned(), program)).collect();
    while let Some((name, command)) = commands.pop() {
        page(&format!("{name}.1"));
        let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
        commands.extend(shown.map(|command| (format!("{name}-{}", command.get_name()), command.clone())));
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let dir = file.path().join("man1");
    let error = Man { dir: dir.clone() }.run().unwrap_err();
    assert_eq!(error.to_string(), format!("create the folder {}", dir.display()));
}

#[test]
fn each_shell_has_a_script_that_knows_the_commands() {
    for shell in Shell::value_variants() {
        for (mut program, command) in
            programs().into_iter().zip(["localauthority", "localauthority", "watch"])
        {
            let name = program.get_name().to_owned();
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut program, &name, &mut script);
            assert!(String::from_utf8(script).unwrap().contains(command), "{name} in {shell}");
        }
    }
}

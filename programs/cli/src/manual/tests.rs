//! Every command has a page, and every shell its script.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::Man;
use crate::Finial;

#[test]
fn each_command_that_is_shown_has_a_page_with_its_flags() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("share/man/man1");
    Man { dir: dir.clone() }.run(Finial::command()).unwrap();
    let page = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_else(|_| panic!("no {name}"));
    assert!(page("finial-entry-create.1").contains("spiffeID"));
    let mut commands = vec![("finial".to_owned(), Finial::command())];
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
    let error = Man { dir: dir.clone() }.run(Finial::command()).unwrap_err();
    assert_eq!(error.to_string(), format!("create the folder {}", dir.display()));
}

#[test]
fn each_shell_has_a_script_that_knows_the_commands() {
    for shell in Shell::value_variants() {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut Finial::command(), "finial", &mut script);
        assert!(String::from_utf8(script).unwrap().contains("localauthority"), "{shell}");
    }
}

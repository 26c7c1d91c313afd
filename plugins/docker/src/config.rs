//! The settings of the `docker` attestor, under SPIRE's names.

pub(crate) mod patterns;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use self::patterns::IdPatterns;

/// Where the engines are, and how a container is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerConfig {
    /// `docker_socket_path`. Default: `unix:///var/run/docker.sock`.
    pub docker_socket: SocketAddress,
    /// `podman_socket_path`, for containers of Podman that the administrator runs. Default:
    /// `unix:///run/podman/podman.sock`.
    pub podman_socket: SocketAddress,
    /// `podman_socket_path_template`, for containers of a user's own Podman; `None` gives those no selectors. Default:
    /// none, since a user's engine says whatever its user likes (SPIRE: `unix:///run/user/%d/podman/podman.sock`).
    pub podman_socket_template: Option<SocketTemplate>,
    /// `docker_version`: the version of the API to ask in. Default: the engine's own.
    pub api_version: Option<ApiVersion>,
    /// `container_id_cgroup_matchers`, in place of the locator of [`Container`](finial_attest::Container). Default:
    /// none.
    pub id_patterns: Option<IdPatterns>,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self {
            docker_socket: SocketAddress("/var/run/docker.sock".into()),
            podman_socket: SocketAddress("/run/podman/podman.sock".into()),
            podman_socket_template: None,
            api_version: None,
            id_patterns: None,
        }
    }
}

/// The absolute path of a Unix socket, written `unix:///path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SocketAddress(PathBuf);

impl SocketAddress {
    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for SocketAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
            Some(path) => Ok(Self(path.into())),
            None => Err(format!("`{text}` is no Unix socket: write unix:///path")),
        }
    }
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.0.display())
    }
}

/// The address of the engine of any user: `%d` stands, once, for the user id, and `%%` for a percent sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketTemplate {
    before: String,
    after: String,
}

impl SocketTemplate {
    /// The address of the engine of this user.
    pub fn of(&self, uid: u32) -> SocketAddress {
        SocketAddress(format!("{}{uid}{}", self.before, self.after).into())
    }
}

impl FromStr for SocketTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let SocketAddress(path) = text.parse()?;
        let path = path.to_string_lossy();
        let (mut parts, mut letters) = (vec![String::new()], path.chars());
        while let Some(letter) = letters.next() {
            let last = parts.len() - 1;
            match letter {
                '%' => match letters.next() {
                    Some('%') => parts[last].push('%'),
                    Some('d') => parts.push(String::new()),
                    _ => return Err(format!("`{text}` has a % that is neither %d, the user id, nor %%")),
                },
                letter => parts[last].push(letter),
            }
        }
        match <[String; 2]>::try_from(parts) {
            Ok([before, after]) => Ok(Self { before, after }),
            Err(_) => Err(format!("`{text}` must have one %d for the user id")),
        }
    }
}

/// A version of the Docker Engine API, such as `1.41`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersion(String);

impl FromStr for ApiVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let version = text.strip_prefix('v').unwrap_or(text);
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        match version.split_once('.') {
            Some((major, minor)) if is_number(major) && is_number(minor) => Ok(Self(version.to_owned())),
            _ => Err(format!("`{text}` is no version of the Docker API: write one such as 1.41")),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

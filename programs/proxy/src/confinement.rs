//! What a proxy needs of its machine, to be confined to it.

#[cfg(test)]
mod tests;

use std::env;
use std::path::Path;

use finial_daemon::confine::{Confinement, Reach};
use finial_receive::Endpoint;

use crate::config::{ClientConfig, Config, CredentialFlags, ServerConfig, StatusFlags};
use crate::{Address, HttpUrl, ProxyError, ProxyFile, StatusAddress};

/// For names: over UDP no port is confined, over TCP this is.
const DNS: u16 = 53;

/// Where the operating system keeps what names are resolved with and peers verified by, what a program loads to do so,
/// and what the kernel says of this process.
const SYSTEM: [&str; 10] = [
    "/etc",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/proc",
    "/sys/fs/cgroup",
    "/dev/urandom",
];

/// Files of the operating system that may be links to where something else keeps them up to date.
const LINKED: [&str; 4] = ["/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs", "/etc/ssl/cert.pem"];

/// As OpenSSL and Go read it.
const ROOTS_FILE: &str = "SSL_CERT_FILE";
/// Several folders, parted by colons.
const ROOTS_FOLDERS: &str = "SSL_CERT_DIR";

impl Config {
    /// What this proxy needs: to read its certificates, also after they were replaced; to make its Unix sockets; and the
    /// TCP ports that it listens on and connects to. What cannot be read, [`check`](Self::check) refuses, and nothing is
    /// needed for it.
    pub fn confinement(&self) -> Confinement {
        let mut needs = system();
        self.add_to(&mut needs);
        needs
    }

    fn add_to(&self, needs: &mut Confinement) {
        let (Self::Server(ServerConfig { listen, targets, credentials, peers, status, .. })
        | Self::Client(ClientConfig { listen, targets, credentials, peers, status, .. })) = self;
        if let Ok(address) = Address::parse(listen) {
            add_listener(needs, &address);
        }
        let upstream = match self {
            Self::Client(ClientConfig { upstream, .. }) => upstream.as_ref(),
            Self::Server(_) => None,
        };
        match upstream {
            Some(upstream) => add_target(needs, upstream.address()),
            None => {
                let addresses = targets.iter().filter_map(|target| Address::parse(target).ok());
                addresses.for_each(|address| add_target(needs, &address));
            }
        }
        add_credentials(needs, credentials);
        for list in &peers.revocation_lists {
            needs.read_replaced(list);
        }
        add_status(needs, status);
    }
}

impl ProxyFile {
    /// What the proxies of this file need, and what those that it names after a reload may: every TCP port, and the
    /// folders of the files and sockets that it names now. It is itself at `path`.
    pub fn confinement(&self, path: &Path) -> Confinement {
        let mut needs = system();
        needs.every_port().read_replaced(path);
        add_status(&mut needs, &self.status);
        self.listeners.iter().for_each(|(_, config)| config.add_to(&mut needs));
        needs
    }

    /// Refuses files and sockets that a confined process can no longer reach.
    ///
    /// # Errors
    /// [`ProxyError::OutOfReach`] with the first folder.
    pub(crate) fn check_reach(&self, reach: &Reach) -> Result<(), ProxyError> {
        let mut needs = Confinement::new();
        self.listeners.iter().for_each(|(_, config)| config.add_to(&mut needs));
        match reach.lacks(&needs) {
            Some(folder) => Err(ProxyError::OutOfReach { folder: folder.to_owned() }),
            None => Ok(()),
        }
    }
}

fn system() -> Confinement {
    let mut needs = Confinement::new();
    needs.connect(DNS);
    for path in SYSTEM {
        needs.read(path);
    }
    for path in LINKED {
        needs.read_replaced(Path::new(path));
    }
    if let Some(file) = env::var_os(ROOTS_FILE) {
        needs.read_replaced(Path::new(&file));
    }
    for folder in env::var_os(ROOTS_FOLDERS).iter().flat_map(env::split_paths) {
        needs.read(folder);
    }
    needs
}

fn add_listener(needs: &mut Confinement, address: &Address) {
    match address {
        Address::Tcp { port, .. } => needs.bind(*port),
        Address::Unix(path) => needs.write(path.parent().unwrap_or(Path::new("."))),
        // Bound already.
        Address::Passed(_) => needs,
    };
}

fn add_target(needs: &mut Confinement, address: &Address) {
    // Landlock does not confine connecting to Unix sockets before its version 9.
    if let Address::Tcp { port, .. } = address {
        needs.connect(*port);
    }
}

fn add_credentials(needs: &mut Confinement, flags: &CredentialFlags) {
    let CredentialFlags { keystore, certificate, key, authorities, workload_api, .. } = flags;
    for file in [keystore, certificate, key, authorities].into_iter().flatten() {
        needs.read_replaced(file);
    }
    if let Some(Endpoint::Tcp(address)) = workload_api {
        needs.connect(address.port());
    }
}

fn add_status(needs: &mut Confinement, flags: &StatusFlags) {
    if let Ok(Some(StatusAddress { address, .. })) = flags.address() {
        add_listener(needs, &address);
    }
    if let Some(Ok(address)) = flags.metrics_graphite.as_deref().map(Address::parse) {
        add_target(needs, &address);
    }
    if let Some(Ok(url)) = flags.metrics_url.as_deref().map(HttpUrl::parse) {
        add_target(needs, url.address());
    }
}

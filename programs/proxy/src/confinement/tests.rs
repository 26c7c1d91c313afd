//! What each flag makes a proxy need. That the kernel keeps it to that is shown with real processes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use finial_daemon::confine::Confinement;
use finial_receive::Endpoint;

use super::system;
use crate::{
    ClientConfig, Config, CredentialFlags, PeerFlags, ProxyError, ProxyFile, ServerConfig, StatusFlags,
    Upstream,
};

fn needs(config: impl Into<Config>, expected: impl FnOnce(&mut Confinement)) {
    let mut needs = system();
    expected(&mut needs);
    assert_eq!(config.into().confinement(), needs);
}

fn nothing() -> CredentialFlags {
    CredentialFlags::default()
}

#[test]
fn listening_and_target_ports_are_needed_and_sockets_in_their_folders() {
    needs(ServerConfig::new("0.0.0.0:8443", "localhost:8080", nothing()), |needs| {
        needs.bind(8443).connect(8080);
    });
    needs(ServerConfig::new("unix:/tmp/listen.sock", "unix:/tmp/target.sock", nothing()), |needs| {
        needs.write(Path::new("/tmp"));
    });
    needs(ServerConfig::new("systemd:web", "localhost:8080", nothing()), |needs| {
        needs.connect(8080);
    });
    needs(ServerConfig::new("not an address", "nor this", nothing()), |_| {});
}

#[test]
fn client_behind_a_proxy_needs_the_way_and_not_the_target() {
    let upstream = Some(Upstream::parse("http://proxy.test:3128").unwrap());
    let config = ClientConfig { upstream, ..ClientConfig::new("localhost:1", "server.test:443", nothing()) };
    needs(config, |needs| {
        needs.bind(1).connect(3128);
    });
}

#[test]
fn status_metrics_and_agent_are_needed() {
    let status = StatusFlags {
        address: Some("http://localhost:9000".to_owned()),
        metrics_graphite: Some("graphite.test:2003".to_owned()),
        metrics_url: Some("https://metrics.test/post".to_owned()),
        ..StatusFlags::default()
    };
    let agent = CredentialFlags::workload_api(Endpoint::parse("tcp://127.0.0.1:8000").unwrap());
    let config = ServerConfig { status, ..ServerConfig::new("localhost:1", "localhost:2", agent) };
    needs(config, |needs| {
        needs.bind(1).connect(2).bind(9000).connect(2003).connect(443).connect(8000);
    });
}

#[test]
fn certificates_are_needed_also_after_they_were_replaced() {
    let files = CredentialFlags {
        certificate: Some("/tmp/tls.crt".into()),
        key: Some("/tmp/tls.key".into()),
        authorities: Some("/var/ca.crt".into()),
        ..nothing()
    };
    let peers = PeerFlags { revocation_lists: vec!["/srv/revoked.crl".into()], ..PeerFlags::default() };
    needs(ServerConfig { peers, ..ServerConfig::new("localhost:1", "localhost:2", files) }, |needs| {
        needs.bind(1).connect(2);
        for folder in ["/tmp", "/var", "/srv"] {
            needs.read_replaced(&Path::new(folder).join("any"));
        }
    });
}

/// A listener with certificates in a folder.
fn file(folder: &Path, listen: &str) -> ProxyFile {
    let path = folder.join("pair.pem");
    let text = format!(
        "server \"web\" {{\n listen = \"{listen}\"\n target = \"localhost:2\"\n allow_all = true\n keystore = \"{}\"\n}}",
        path.display()
    );
    ProxyFile::parse(&text, "proxy.conf").unwrap()
}

#[test]
fn processes_of_a_file_need_every_port_and_the_folders_of_what_it_names_and_its_own() {
    let mut needs = system();
    needs.every_port();
    for folder in ["/srv/conf", "/srv/certs"] {
        needs.read_replaced(&Path::new(folder).join("any"));
    }
    let told = file(Path::new("/srv/certs"), "localhost:1").confinement(Path::new("/srv/conf/proxy.conf"));
    assert_eq!(told, needs);
}

#[test]
fn file_that_names_what_is_out_of_reach_is_refused_with_the_folder() {
    let place = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let folder = place.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    };
    let (certs, run, other) = (folder("certs"), folder("run"), folder("other"));
    let socket = |folder: &Path| format!("unix:{}/listen.sock", folder.display());
    let reach = file(&certs, &socket(&run)).confinement(&certs.join("proxy.conf")).reach();
    for (certs, listen) in [
        (&certs, socket(&run)),
        (&certs, "localhost:9".to_owned()),
        (&certs.join("deeper"), socket(&run)),
        (&run, socket(&run)),
    ] {
        file(certs, &listen).check_reach(&reach).unwrap();
    }
    for (certs, listen, outside) in [(&other, socket(&run), &other), (&certs, socket(&certs), &certs)] {
        let refused = file(certs, &listen).check_reach(&reach).unwrap_err();
        assert!(matches!(&refused, ProxyError::OutOfReach { folder } if folder == outside), "{refused}");
    }
}

//! nginx, with an SVID in files: mutual TLS on either side of it.

use super::{Ground, program};
use crate::envoy::get;

/// One process, with all of its files in its folder.
fn configuration(server: &str) -> String {
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths = paths.map(|name| format!("{name}_temp_path {{folder}}/{name};")).join(" ");
    format!(
        "daemon off; master_process off; pid {{folder}}/nginx.pid; error_log stderr info;\n\
         events {{ }}\nhttp {{ access_log off; {paths}\nserver {{ {server} }} }}\n"
    )
}

const AS_CLIENT: &str = "listen 127.0.0.1:{port};
    location / {
        proxy_pass https://127.0.0.1:{target};
        proxy_ssl_certificate {folder}/svid.0.pem;
        proxy_ssl_certificate_key {folder}/svid.0.key;
        proxy_ssl_trusted_certificate {folder}/bundle.0.pem;
        proxy_ssl_verify on;
        proxy_ssl_name stranger.test;
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
    }";

const AS_SERVER: &str = "listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/svid.0.pem;
    ssl_certificate_key {folder}/svid.0.key;
    ssl_client_certificate {folder}/bundle.0.pem;
    ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / { proxy_pass http://127.0.0.1:{target}; }";

#[test]
fn nginx_as_client_passes_by_its_id_alone() {
    let Some(nginx) = program("nginx") else { return };
    let ground = Ground::new();
    ground.admits(|proxy| {
        let (_nginx, port) = ground.start(&nginx, &["-c"], &configuration(AS_CLIENT), proxy);
        get(port, "/").unwrap_or_default()
    });
}

#[test]
fn nginx_as_server_passes_by_its_id_alone() {
    let Some(nginx) = program("nginx") else { return };
    let ground = Ground::new();
    let (_nginx, port) = ground.start(&nginx, &["-c"], &configuration(AS_SERVER), ground.backend.port());
    ground.accepts(port);
}

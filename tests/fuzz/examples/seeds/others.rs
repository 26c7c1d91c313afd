//! What is neither a document nor gRPC: the talk of x509pop, a web server's answers, a folder somebody has been in.

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine};
use der::{Decode, Encode};

use super::seed;

/// The messages of x509pop, each after the byte that says which it is.
pub(crate) fn possessions(leaf: &[u8]) -> Result<()> {
    let certificate = BASE64_STANDARD.encode(leaf);
    let content = x509_cert::Certificate::from_der(leaf)?.tbs_certificate().to_der()?;
    let nonce = BASE64_STANDARD.encode([7; 32]);
    let payload = format!(r#"{{"certificates":["{certificate}"]}}"#);
    let several = format!(r#"{{"certificates":["{certificate}","{certificate}"],"other":1}}"#);
    let ecdsa = format!(r#"{{"rsa_signature":null,"ecdsa_signature":{{"nonce":"{nonce}"}}}}"#);
    let rsa = format!(r#"{{"rsa_signature":{{"nonce":"{nonce}"}}}}"#);
    let proof = format!(r#"{{"ecdsa_signature":{{"nonce":"{nonce}","r":"{nonce}","s":"AQ=="}}}}"#);
    let cases: [(&str, u8, &[u8]); 7] = [
        ("presented", 0, payload.as_bytes()),
        ("several", 0, several.as_bytes()),
        ("signed", 1, &content),
        ("ecdsa-challenge", 2, ecdsa.as_bytes()),
        ("rsa-challenge", 2, rsa.as_bytes()),
        ("response", 3, proof.as_bytes()),
        ("no-response", 3, b"{}"),
    ];
    for (name, message, data) in cases {
        seed("x509pop", name, [&[message][..], data].concat())?;
    }
    Ok(())
}

/// What a web server answers that is asked for a bundle.
pub(crate) fn web(pem: &str) -> Result<()> {
    let length = pem.len();
    let plain = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{pem}");
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{pem}\r\n0\r\n\r\n");
    let keys = r#"{"keys":[]}"#;
    seed("bundle_answer", "pem", plain)?;
    seed("bundle_answer", "chunked", chunked)?;
    seed("bundle_answer", "to-the-end", format!("HTTP/1.0 200 OK\r\n\r\n{keys}"))?;
    seed("bundle_answer", "redirect", "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n")?;
    seed("bundle_answer", "continue", format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{keys}"))?;
    seed("bundle_answer", "torn", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")?;
    seed("bundle_answer", "unavailable", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
}

/// Folders of a helper that it did not make so.
pub(crate) fn folders() -> Result<()> {
    let ours = "generations\nd ..1\nl ..data ..1\nl key ..data/key\nl chain ..data/chain";
    seed("helper_folder", "ours", ours)?;
    seed("helper_folder", "plain", "plain\nf key old\nf chain old\nf other theirs")?;
    seed("helper_folder", "taken-over", "generations\nf key old\nl chain ../beside/key")?;
    seed("helper_folder", "most", "generations\nd ..18446744073709551615\nl ..data ..18446744073709551615")?;
    seed("helper_folder", "file-for-a-generation", "generations\nf ..7 x\nl ..data ..7\nl key ..data/key")?;
    seed(
        "helper_folder",
        "link-for-a-generation",
        "generations\nl ..7 ../beside\nl ..data ..7\nl ..6 ../beside/key",
    )?;
    seed(
        "helper_folder",
        "link-for-a-temporary",
        "plain\nl ..key.tmp ../beside/key\nl ..lock ../beside/key",
    )?;
    seed("helper_folder", "folder-for-a-name", "generations\nd key\nd ..data\nf ..lock 1\u{1b}[2J")
}

//! The helper as a process: its files under readers who never rest, killed at any moment, with a real agent behind it,
//! and in folders that are full, read-only, or gone.

mod days;
mod killed;
mod seed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use finial_identity::{PrivateKey, X509Credential, X509Svid};
use finial_testkit::{Process, finial};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use tempfile::TempDir;

/// A folder for files, and a configuration beside it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        fs::create_dir(home.path().join("certs")).unwrap();
        Self(home)
    }

    fn certs(&self) -> PathBuf {
        self.0.path().join("certs")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a configuration with the three files, and these keys.
    fn configure(&self, agent: &Path, keys: &str) -> PathBuf {
        let (file, certs) = (self.path("helper.conf"), self.certs());
        let text = format!(
            "agent_address = \"{}\"\ncert_dir = \"{}\"\nsvid_file_name = \"chain\"\n\
             svid_key_file_name = \"key\"\nsvid_bundle_file_name = \"bundle\"\n{keys}\n",
            agent.display(),
            certs.display()
        );
        fs::write(&file, text).unwrap();
        file
    }
}

fn helper(config: &Path) -> Process {
    let mut command = Command::new(finial());
    command.env_remove("SPIFFE_ENDPOINT_SOCKET").args(["helper", "run", "-config"]).arg(config);
    Process::spawn("helper", &mut command)
}

/// Of the certificate that stands there; `None` while there is none.
fn serial_number(certs: &Path) -> Option<String> {
    let chain = X509Svid::parse_pem(&fs::read(certs.join("chain")).ok()?).unwrap();
    Some(chain.serial_number().to_owned())
}

/// The certificate with its key, which must be its own.
fn pair(chain: &[u8], key: &[u8]) -> X509Credential {
    let key = PrivateKey::from_rustls(&PrivateKeyDer::from_pem_slice(key).unwrap()).unwrap();
    X509Credential::new(X509Svid::parse_pem(chain).unwrap(), key, String::new()).unwrap()
}

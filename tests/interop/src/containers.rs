//! Containers of Docker and Podman, which fetch their SVIDs through the agent's socket by what their engine says of them.
//!
//! Both engines run as administrator, in folders and on sockets of their own. Their only image is an empty one: the
//! containers get this machine's libraries and the binary `finial` by mounts.

mod docker;
mod podman;

use std::path::Path;
use std::process::Command;

use finial_testkit::{Finished, Pair, Process, finial, run, until};

const IMAGE: &str = "finial:1";

/// A container engine at the command line.
trait Engine {
    /// Its command, such as `docker`, pointed at its own folders.
    fn command(&self) -> Command;

    /// The setting of the agent that names its socket.
    fn setting(&self) -> String;

    fn cli(&self, args: &[&str]) -> Finished {
        run(self.command().args(args))
    }

    /// Makes the image of empty folders, and tells its digest.
    fn import(&self, folder: &Path) -> String {
        let (root, tar) = (folder.join("root"), folder.join("root.tar"));
        for name in ["agent", "etc", "lib", "lib64", "tmp", "usr"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".")).expect_success();
        self.cli(&["import", tar.to_str().unwrap(), IMAGE]).expect_success();
        let inspected = self.cli(&["image", "inspect", "--format", "{{.Id}}", IMAGE]).expect_success();
        inspected.trim().trim_start_matches("sha256:").to_owned()
    }

    /// Runs `finial api fetch x509` in a new container with these options.
    fn fetch(&self, pair: &Pair, options: &[&str]) -> Finished {
        let agent = format!("{}:/agent", Path::new(&pair.path("agent.sock")).parent().unwrap().display());
        let binary = format!("{}:/agent.bin:ro", finial().display());
        let mut args = vec!["run", "--rm", "--pull=never", "--network=none", "-v", &agent, "-v", &binary];
        args.extend(["-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro"]);
        args.extend(["-e", "SPIFFE_ENDPOINT_SOCKET=unix:///agent/agent.sock"]);
        args.extend(options);
        args.extend([IMAGE, "/agent.bin", "api", "fetch", "x509"]);
        self.cli(&args)
    }
}

/// A server, and an agent that asks this engine.
struct Domain {
    pair: Pair,
    _server: Process,
    agent: Process,
}

impl Domain {
    fn start(engine: &impl Engine) -> Self {
        let pair = Pair::new();
        let server = pair.server();
        let (bundle, token, config) = (pair.bundle(), pair.token(), pair.path("agent.conf"));
        let text = format!(
            "agent {{ trust_domain = \"example.org\" server_address = \"127.0.0.1\" server_port = {port}
               trust_bundle_path = \"{bundle}\" }}
             plugins {{
               NodeAttestor \"join_token\" {{ }}
               KeyManager \"memory\" {{ }}
               WorkloadAttestor \"unix\" {{ }}
               WorkloadAttestor \"docker\" {{ plugin_data {{ {setting} }} }}
             }}",
            port = pair.port(),
            bundle = bundle.display(),
            setting = engine.setting(),
        );
        std::fs::write(&config, text).unwrap();
        let agent = pair.agent(&["-config", &config, "-joinToken", &token]);
        Self { pair, _server: server, agent }
    }

    /// Gives containers with this selector the identity `/name`.
    fn entry(&self, name: &str, selector: &str) {
        let id = format!("spiffe://example.org/{name}");
        let parent = ["-parentID", "spiffe://example.org/node"];
        let entry = ["-spiffeID", &id, "-selector", selector];
        self.pair.cli(&[&["entry", "create"], &parent[..], &entry[..]].concat()).expect_success();
    }

    /// Waits until a container with these options is handed exactly these identities.
    fn expect(&self, engine: &impl Engine, options: &[&str], names: &[&str]) {
        let what = format!("{names:?} for {options:?} from the agent:\n{}", self.agent.log());
        until(&what, || {
            let found = engine.fetch(&self.pair, options).stdout;
            let mut ids: Vec<_> =
                found.lines().filter_map(|line| line.split("spiffe://example.org/").nth(1)).collect();
            ids.sort_unstable();
            ids.dedup();
            (ids == names).then_some(())
        });
    }
}

/// What every engine must be able to do.
fn containers_are_told_apart(engine: &impl Engine) {
    let folder = tempfile::tempdir().unwrap();
    let digest = engine.import(folder.path());
    let domain = Domain::start(engine);
    domain.entry("labelled", "docker:label:com.example.name:web");
    domain.entry("staged", "docker:env:STAGE=prod");
    domain.expect(engine, &["--label", "com.example.name=web"], &["labelled"]);
    domain.expect(
        engine,
        &["--env", "STAGE=prod", "--label", "com.example.name=web"],
        &["labelled", "staged"],
    );

    let refused = engine.fetch(&domain.pair, &["--label", "com.example.name=webb"]);
    assert!(refused.stderr.contains("no identity issued"), "{refused:?}");
    let outside = domain.pair.cli(&["api", "fetch", "x509"]);
    assert!(outside.stderr.contains("no identity issued"), "{outside:?}");

    domain.entry("image", &format!("docker:image_config_digest:sha256:{digest}"));
    domain.expect(engine, &[], &["image"]);
}

//! A page of the documentation, as its reader follows it: each command is run as it is printed, and prints what stands below.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use finial_testkit::{example, finial, free_port, installed, skip};

/// The user `nobody` of Debian and most others.
const NOBODY: &str = "65534";
/// How long a page may take, in seconds. Then all that it started is ended.
const LIMIT: &str = "90";

/// Some commands, and what they print.
#[derive(Debug, PartialEq)]
struct Step {
    commands: String,
    prints: String,
}

/// The blocks marked `sh`, each with the block marked `text` that follows it before the next one, if any.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block = block.iter().fold(String::new(), |text, line| text + line + "\n");
        match (kind, steps.last_mut()) {
            ("sh", _) => steps.push(Step { commands: block, prints: String::new() }),
            ("text", Some(step)) if step.prints.is_empty() => step.prints = block,
            ("text", _) => panic!("this output follows no command:\n{block}"),
            _ => {}
        }
    }
    steps
}

/// Whether a text is the pattern, in which `…` stands for anything within a line.
fn is_like(text: &str, pattern: &str) -> bool {
    let is_like = |text: &str, pattern: &str| {
        let Some((start, rest)) = pattern.split_once('…') else { return text == pattern };
        let (middle, end) = rest.rsplit_once('…').unwrap_or(("", rest));
        text.strip_prefix(start)
            .and_then(|text| text.strip_suffix(end))
            .is_some_and(|inner| inner.contains(middle))
    };
    text.lines().count() == pattern.lines().count()
        && text.lines().zip(pattern.lines()).all(|(line, pattern)| is_like(line, pattern))
}

/// The commands of all steps as one script, which writes what each step prints to a file of its own.
fn script(steps: &[Step], folder: &Path) -> String {
    // A background job that outlives the page would disturb whoever comes next.
    let mut script = String::from("trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n");
    for (number, step) in steps.iter().enumerate() {
        let file = folder.join(format!("{number}.out"));
        let _ = writeln!(script, "{{\n{}}} >{} 2>&1", step.commands, file.display());
    }
    script
}

/// A page that can be followed.
struct Page {
    file: &'static str,
    /// Its ports, which are replaced by free ones.
    ports: &'static [u16],
    /// Programs of others on it. Debian's users have /usr/sbin on no path, and PostgreSQL's in a folder of its version.
    programs: &'static [&'static str],
    /// Examples of ours that it runs by name.
    examples: &'static [&'static str],
}

const MUTUAL_TLS: Page = Page {
    file: "mutual-tls.md",
    ports: &[8081, 8000, 8443, 8001, 8002, 8003],
    programs: &["curl", "python3"],
    examples: &[],
};

const POSTGRESQL: Page = Page {
    file: "postgresql.md",
    ports: &[5432],
    programs: &["/usr/lib/postgresql/15/bin/postgres", "psql", "openssl"],
    examples: &["query"],
};

const NGINX: Page = Page {
    file: "nginx.md",
    ports: &[8443],
    programs: &["/usr/sbin/nginx", "curl", "openssl"],
    examples: &[],
};

const HAPROXY: Page = Page {
    file: "haproxy.md",
    ports: &[8443],
    programs: &["/usr/sbin/haproxy", "curl", "openssl"],
    examples: &[],
};

impl Page {
    /// Follows the page in an empty folder, by `user` if one is given. Ports are the only thing that is replaced.
    fn follow(&self, user: Option<&str>) {
        // A path stands for itself.
        if let Some(program) = self.programs.iter().find(|program| installed(program).is_none()) {
            return skip(self.file, true, &format!("{program} is not installed"));
        }
        let steps = steps(&self.text());
        assert!(steps.len() > 3, "{} has hardly any commands", self.file);

        // In /tmp whatever TMPDIR says: the path of a Unix socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("finial.").tempdir_in("/tmp").unwrap();
        // Where every user can reach them, unlike a target directory in somebody's home.
        let examples = self.examples.iter().map(|name| example(name));
        for program in std::iter::once(finial()).chain(examples) {
            let here = folder.path().join(program.file_name().unwrap());
            if std::fs::hard_link(&program, &here).is_err() {
                std::fs::copy(&program, &here).unwrap();
            }
        }
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", LIMIT]);
        if let Some(user) = user {
            command.args(["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.args(["bash", "-c", &script(&steps, folder.path())]);
        let inherited = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{inherited}", folder.path().display()));
        command.env("HOME", folder.path()).current_dir(folder.path());
        for variable in ["SPIFFE_ENDPOINT_SOCKET", "SPIRE_SERVER_PRIVATE_SOCKET"] {
            command.env_remove(variable);
        }
        let output = command.output().unwrap();
        for (number, step) in steps.iter().enumerate() {
            let printed =
                std::fs::read_to_string(folder.path().join(format!("{number}.out"))).unwrap_or_default();
            let (commands, wanted) = (&step.commands, &step.prints);
            assert!(
                is_like(&printed, wanted),
                "{}\n{commands}\nprints\n{printed}\ninstead of\n{wanted}\n{output:?}",
                self.file
            );
        }
        assert!(output.status.success(), "{}: {output:?}", self.file);
    }

    /// Follows the page as a user who is not root.
    fn follow_as_an_ordinary_user(&self) {
        if !rustix::process::geteuid().is_root() {
            return self.follow(None);
        }
        match installed("setpriv") {
            Some(_) => self.follow(Some(NOBODY)),
            None => skip("another user", false, "setpriv is missing"),
        }
    }

    fn text(&self) -> String {
        let mut text = read(&format!("docs/{}", self.file));
        for (number, port) in self.ports.iter().enumerate() {
            assert!(text.contains(&port.to_string()), "{} has no port {port}", self.file);
            // First by a mark: a free port may have another one's figures in it.
            text = text.replace(&port.to_string(), &format!("@{number}@"));
        }
        for number in 0..self.ports.len() {
            text = text.replace(&format!("@{number}@"), &free_port().to_string());
        }
        text
    }
}

/// A file of this repository.
fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

#[test]
fn mutual_tls_without_touching_the_program() {
    MUTUAL_TLS.follow(None);
}

#[test]
fn mutual_tls_without_touching_the_program_as_an_ordinary_user() {
    MUTUAL_TLS.follow_as_an_ordinary_user();
}

#[test]
fn postgresql_without_passwords() {
    // PostgreSQL refuses root.
    POSTGRESQL.follow_as_an_ordinary_user();
}

#[test]
fn the_program_on_the_page_about_postgresql_is_the_example() {
    assert!(read("docs/postgresql.md").contains(&read("sdk/finial-postgres/examples/query.rs")));
}

#[test]
fn nginx_with_identities_that_renew_themselves() {
    NGINX.follow_as_an_ordinary_user();
}

#[test]
fn haproxy_with_identities_that_renew_themselves() {
    HAPROXY.follow_as_an_ordinary_user();
}

#[test]
fn steps_are_commands_and_what_stands_below_them() {
    let page = "a\n```\nfigure\n```\n```sh\none\n```\n```sh\ntwo\n  2\n```\nb\n```text\nout\n```\n";
    let step =
        |commands: &str, prints: &str| Step { commands: commands.to_owned(), prints: prints.to_owned() };
    assert_eq!(steps(page), [step("one\n", ""), step("two\n  2\n", "out\n")]);
}

#[test]
fn an_ellipsis_stands_for_anything_within_a_line() {
    assert!(is_like("a: 1 b\nc\n", "a: … b\nc\n"));
    for other in ["a: 1 c\nc\n", "a: 1 b\n", "a: 1 b\nd\n", "a: 1 b\nc\nc\n", "", "b a: 1 b\nc\n"] {
        assert!(!is_like(other, "a: … b\nc\n"), "{other:?}");
    }
}

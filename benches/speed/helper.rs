//! The helper: what one update costs from the agent's push to the files in their places, and what it holds while it waits.

mod agent;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_testkit::{Process, finial};
use tempfile::TempDir;

use self::agent::Agent;
use crate::measure::{self, RUNS, median};

/// Updates in a run: the kernel counts the time of processors in ticks of 10 ms.
const UPDATES: usize = 400;
/// As large as chain, key and bundle.
const SIZES: [usize; 3] = [700, 240, 650];
/// It gives back what an update needed when none has come for ten seconds.
const SETTLED: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_micros(200);

pub(crate) async fn bench() {
    let (clock, home) = (Clock::system(), TempDir::new().unwrap());
    let tasks = Tasks::new(clock.clone());
    let agent = Agent::serve(&home.path().join("agent.sock"), &tasks);
    for (layout, keys) in [("generations", ""), ("plain", "layout = \"plain\"\n")] {
        let certs = home.path().join(layout);
        fs::create_dir(&certs).unwrap();
        let config = configure(home.path(), &certs, keys);
        let helper = start(&config);
        wait_for(&agent, &certs, &clock).await;
        let (mut cpu, mut wall, mut primitive) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let before = measure::cpu_us(helper.id());
            for _ in 0..UPDATES {
                agent.rotate();
                wall.push(measure::wall_ms(&clock, wait_for(&agent, &certs, &clock)).await.0);
            }
            cpu.push((measure::cpu_us(helper.id()) - before) / UPDATES as f64);
            primitive.push(write_and_rename(&home.path().join("primitive")));
        }
        clock.sleep(SETTLED).await;
        println!(
            "helper, layout {layout}: {:.0} µs of CPU an update, {:.2} ms until the files are there (p50); \
             three files written, flushed and renamed: {:.0} µs of CPU; held while it waits: {:.1} MB",
            median(&mut cpu),
            median(&mut wall),
            median(&mut primitive),
            measure::resident_kb(helper.id()) / 1e3,
        );
    }
    tasks.stop(Duration::ZERO).await;
}

fn configure(home: &Path, certs: &Path, keys: &str) -> std::path::PathBuf {
    let file = home.join("helper.conf");
    let text = format!(
        "agent_address = \"{}\"\ncert_dir = \"{}\"\nsvid_file_name = \"chain\"\n\
         svid_key_file_name = \"key\"\nsvid_bundle_file_name = \"bundle\"\n{keys}",
        home.join("agent.sock").display(),
        certs.display()
    );
    fs::write(&file, text).unwrap();
    file
}

fn start(config: &Path) -> Process {
    let mut command = Command::new(finial());
    Process::spawn("helper", command.args(["helper", "run", "-config"]).arg(config))
}

async fn wait_for(agent: &Agent, certs: &Path, clock: &Clock) {
    let wanted = agent.chain_pem();
    while fs::read_to_string(certs.join("chain")).ok().as_ref() != Some(&wanted) {
        clock.sleep(PAUSE).await;
    }
}

/// CPU time of this process for three files, in microseconds, as median of some.
fn write_and_rename(folder: &Path) -> f64 {
    fs::create_dir_all(folder).unwrap();
    let mut each = Vec::new();
    for _ in 0..50 {
        let before = measure::own_cpu_us();
        for (name, size) in SIZES.into_iter().enumerate() {
            let (temporary, name) = (folder.join("temporary"), folder.join(name.to_string()));
            let mut file = File::create(&temporary).unwrap();
            file.write_all(&vec![b'a'; size]).unwrap();
            file.sync_all().unwrap();
            fs::rename(temporary, name).unwrap();
        }
        File::open(folder).unwrap().sync_all().unwrap();
        each.push(measure::own_cpu_us() - before);
    }
    median(&mut each)
}

//! Our proxy beside others that terminate mutual TLS: CPU, latency and memory of each, taken in turn in the same run.
//!
//! What is measured stays on one core; callers and backend on another. The programs come in the order A B … B A, so that
//! a machine that becomes slower or faster meanwhile favours nobody. Words after `proxy` choose: `handshakes`, `bulk`,
//! `echo`, `idle`, `cores`, and names of programs.

mod backend;
mod cores;
mod load;
mod pki;
mod subject;

use std::time::Duration;

use finial_daemon::{Clock, descriptors};

use self::cores::Cores;
use self::load::Callers;
use self::pki::Pki;
use self::subject::{Kind, Subject};
use crate::measure::{RUNS, median, quantile};

const HANDSHAKES: usize = 3000;
const BULK: u64 = 2 << 30;
const ECHOES: usize = 5000;
const IDLE: usize = 8000;

/// What one program has shown, one figure for each run.
struct Figures {
    kind: Kind,
    /// In a second of its CPU.
    handshakes: Vec<f64>,
    /// Gbit in a second of its CPU, encrypted and decrypted.
    encrypted: Vec<f64>,
    decrypted: Vec<f64>,
    /// Microseconds.
    echo: Vec<f64>,
    echo_p99: Vec<f64>,
    /// kB for each idle connection.
    idle: Vec<f64>,
}

/// Runs what these words choose, or everything.
pub(crate) fn bench(words: &[String]) {
    let Some(cores) = Cores::two() else {
        return println!("proxy: skipped, since this machine has one core alone\n");
    };
    let chosen = |word: &str, among: &[&str]| {
        words.iter().any(|chosen| chosen == word)
            || !words.iter().any(|chosen| among.contains(&chosen.as_str()))
    };
    let measured = |word: &str| chosen(word, &["handshakes", "bulk", "echo", "idle", "cores"]);
    descriptors::raise_limit().unwrap();
    let pki = Pki::new();
    let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let mut present = vec![];
    for kind in Kind::ALL.into_iter().filter(|kind| chosen(kind.name(), &names)) {
        match kind.program() {
            Some(program) => present.push((kind, program)),
            None => println!("proxy: {} is not installed and was skipped", kind.name()),
        }
    }
    let mut figures: Vec<_> = present.iter().map(|(kind, _)| Figures::of(*kind)).collect();
    let start = |kind: Kind, program: &std::path::PathBuf, on: &[usize]| {
        kind.start(program.clone(), &pki, on, backend::start(cores.load))
    };
    let subjects: Vec<_> =
        present.iter().map(|(kind, program)| start(*kind, program, &[cores.subject])).collect();
    for run in 0..RUNS {
        let mut pairs: Vec<_> = subjects.iter().zip(&mut figures).collect();
        if run % 2 == 1 {
            pairs.reverse();
        }
        for (subject, figures) in pairs {
            cores::on(&[cores.load], || {
                if measured("handshakes") {
                    figures.handshakes(subject, &pki);
                }
                if measured("bulk") {
                    figures.bulk(subject, &pki);
                }
                if measured("echo") {
                    figures.echo(subject, &pki);
                }
            });
        }
    }
    drop(subjects);
    if measured("idle") {
        for ((kind, program), figures) in present.iter().zip(&mut figures) {
            let subject = start(*kind, program, &[cores.subject]);
            cores::on(&[cores.load], || figures.idle(&subject, &pki));
        }
    }
    print(&mut figures);
    if measured("cores") {
        scale(&pki, cores);
    }
}

impl Figures {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            handshakes: vec![],
            encrypted: vec![],
            decrypted: vec![],
            echo: vec![],
            echo_p99: vec![],
            idle: vec![],
        }
    }

    fn handshakes(&mut self, subject: &Subject, pki: &Pki) {
        let callers = callers(subject, pki);
        let (cpu, ()) = costs(subject, callers.handshakes(HANDSHAKES));
        self.handshakes.push(HANDSHAKES as f64 / cpu);
    }

    fn bulk(&mut self, subject: &Subject, pki: &Pki) {
        let callers = callers(subject, pki);
        let gbit = BULK as f64 * 8.0 / 1e9;
        let (cpu, ()) = costs(subject, callers.fetch(BULK));
        self.encrypted.push(gbit / cpu);
        let (cpu, ()) = costs(subject, callers.send(BULK));
        self.decrypted.push(gbit / cpu);
    }

    fn echo(&mut self, subject: &Subject, pki: &Pki) {
        let callers = callers(subject, pki);
        let (_, mut times) = costs(subject, callers.echoes(ECHOES));
        self.echo.push(median(&mut times));
        self.echo_p99.push(quantile(&mut times, 0.99));
    }

    /// What the first connections cost once for all is not counted.
    fn idle(&mut self, subject: &Subject, pki: &Pki) {
        let callers = callers(subject, pki);
        block_on(callers.handshakes(100));
        let before = subject.resident_kb();
        let held = block_on(async {
            let held = callers.idle(IDLE).await;
            // What was needed only for a moment is given back.
            Clock::system().sleep(Duration::from_secs(2)).await;
            held
        });
        self.idle.push((subject.resident_kb() - before) / IDLE as f64);
        drop(held);
    }

    fn row(&mut self) -> String {
        let shown = |figures: &mut Vec<f64>, digits| match figures.as_slice() {
            [] => "-".to_owned(),
            _ => format!("{:.digits$}", median(figures)),
        };
        format!(
            "{:<11}{:>14}{:>17}{:>17}{:>12}{:>12}{:>13}",
            self.kind.name(),
            shown(&mut self.handshakes, 0),
            shown(&mut self.encrypted, 1),
            shown(&mut self.decrypted, 1),
            shown(&mut self.echo, 1),
            shown(&mut self.echo_p99, 1),
            shown(&mut self.idle, 1),
        )
    }
}

fn print(figures: &mut [Figures]) {
    println!("proxy: mutual TLS 1.3, P-256, no resumption; ours by X25519MLKEM768, the others by X25519");
    println!(
        "{:<11}{:>14}{:>17}{:>17}{:>12}{:>12}{:>13}",
        "", "handshakes", "plain→TLS", "TLS→plain", "1 KB echo", "its p99", "idle"
    );
    println!(
        "{:<11}{:>14}{:>17}{:>17}{:>12}{:>12}{:>13}",
        "", "/CPU-s", "Gbit/CPU-s", "Gbit/CPU-s", "µs", "µs", "kB/conn"
    );
    for figures in figures.iter_mut() {
        println!("{}", figures.row());
    }
    let Some((ours, others)) = figures.split_first_mut().filter(|(first, _)| first.kind == Kind::Finial)
    else {
        return println!();
    };
    for other in others {
        let ratio = |ours: &mut Vec<f64>, other: &mut Vec<f64>| match (ours.is_empty(), other.is_empty()) {
            (false, false) => format!("{:.2}", median(ours) / median(other)),
            _ => "-".to_owned(),
        };
        println!(
            "ours ÷ {}: handshakes {}, plain→TLS {}, TLS→plain {}, echo {}, its p99 {}, idle {}",
            other.kind.name(),
            ratio(&mut ours.handshakes, &mut other.handshakes),
            ratio(&mut ours.encrypted, &mut other.encrypted),
            ratio(&mut ours.decrypted, &mut other.decrypted),
            ratio(&mut ours.echo, &mut other.echo),
            ratio(&mut ours.echo_p99, &mut other.echo_p99),
            ratio(&mut ours.idle, &mut other.idle),
        );
    }
    println!();
}

/// What a second core adds: as much as a handshake costs no more CPU on two, and both are used alike. Callers run on the
/// same cores, so that wall time would say more of them.
fn scale(pki: &Pki, cores: Cores) {
    let both = [cores.subject, cores.load];
    let mut gains = vec![];
    for run in 0..RUNS {
        let mut sets = [&both[..1], &both];
        if run % 2 == 1 {
            sets.reverse();
        }
        let mut capacities = sets.map(|set| (set.len(), capacity(pki, set)));
        capacities.sort_by_key(|(cores, _)| *cores);
        gains.push(capacities[1].1 / capacities[0].1);
    }
    println!("proxy: handshakes that two cores are good for ÷ those of one: {:.2}\n", median(&mut gains));
}

/// Handshakes in a second in which its busiest thread had a core for itself.
fn capacity(pki: &Pki, set: &[usize]) -> f64 {
    let program = Kind::Finial.program().expect("the binary of this build");
    let subject = Kind::Finial.start(program, pki, set, backend::start(set[set.len() - 1]));
    let callers = callers(&subject, pki);
    std::thread::scope(|scope| {
        for core in set {
            scope.spawn(|| {
                cores::pin(&[*core]);
                block_on(callers.handshakes(HANDSHAKES));
            });
        }
    });
    (HANDSHAKES * set.len()) as f64 / (subject.busiest_thread_us() / 1e6)
}

fn callers(subject: &Subject, pki: &Pki) -> Callers {
    Callers { port: subject.port, config: pki.caller(subject.kind.exchange()) }
}

/// Seconds of CPU that the program has used for the work.
fn costs<T>(subject: &Subject, work: impl Future<Output = T>) -> (f64, T) {
    let before = subject.cpu_us();
    let outcome = block_on(work);
    ((subject.cpu_us() - before) / 1e6, outcome)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

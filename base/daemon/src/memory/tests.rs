//! Which mappings are given back, and what is left of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::time::{Duration, SystemTime};

use super::{PERIOD, keep_settled, read_only, settle, unchanged};
use crate::alone::{alone, run};
use crate::{Clock, Tasks};

#[test]
fn only_what_files_hold_and_nobody_may_write_is_given_back() {
    let code = "7f67bb945000-7f67bba9b000 r-xp 00026000 fe:00 1049 /usr/lib/libc.so.6";
    assert_eq!(read_only(code), Some(0x7f67_bb94_5000..0x7f67_bba9_b000));
    let constants = "5618a0523000-5618a0c0d000 r--p 00000000 fe:00 77 /usr/bin/finial";
    assert_eq!(read_only(constants), Some(0x5618_a052_3000..0x5618_a0c0_d000));
    for other in [
        "7ffd1a5f2000-7ffd1a5f4000 r-xp 00000000 00:00 0 [vdso]",
        "5618a2479000-5618a2482000 rw-p 01f54000 fe:00 77 /usr/bin/finial",
        "5618a0c0d000-5618a23ca000 rwxp 006e9000 fe:00 77 /usr/bin/finial",
        "5618a0c0d000-5618a23ca000 r-xs 006e9000 fe:00 77 /usr/bin/finial",
        "5618a0c0d000 r-xp 006e9000 fe:00 77 /usr/bin/finial",
        "x-y r-xp 006e9000 fe:00 77 /usr/bin/finial",
        "",
    ] {
        assert_eq!(read_only(other), None, "{other}");
    }
}

#[test]
fn what_differs_from_its_file_stays() {
    let maps = "1000-2000 r--p 00000000 fe:00 77 /usr/bin/finial\nRss:  4 kB\nAnonymous:  4 kB\nVmFlags: rd mr\n\
                3000-4000 r-xp 00001000 fe:00 77 /usr/bin/finial\nRss:  4 kB\nAnonymous:  0 kB\nVmFlags: rd ex\n\
                5000-6000 rw-p 00002000 fe:00 77 /usr/bin/finial\nRss:  0 kB\nAnonymous:  0 kB\nVmFlags: rd wr\n\
                7000-8000 r--p 00003000 fe:00 77 /usr/bin/finial\nRss:  0 kB\nAnonymous:  0 kB\n\
                9000-a000 r--p 00004000 fe:00 77 /usr/bin/finial\nRss:  0 kB\n";
    let program = "/usr/bin/finial";
    assert_eq!(unchanged(maps, program).collect::<Vec<_>>(), [0x3000..0x4000, 0x7000..0x8000]);
    let library = maps.replace(program, "/usr/lib/libnss_files.so.2");
    assert_eq!(unchanged(&library, program).count(), 0);
}

/// Kilobytes that are mapped now of what files hold.
fn mapped() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
    size.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// Runs through code here and there.
async fn work() {
    crate::hcl::parse("server { trust_domain = \"example.org\" }", "server.conf").unwrap();
    crate::hcl::parse("server {", "server.conf").unwrap_err().to_string();
    let tasks = Tasks::new(Clock::system());
    tasks.spawn_session("work", async { println!("{:?}", crate::go::parse_duration("1h")) });
    tasks.stop(Duration::from_secs(1)).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    crate::file::write_keeping_previous(file.path(), b"{}", 0o600).unwrap();
}

#[test]
fn code_that_has_run_is_mapped_no_more_and_runs_again() {
    alone("memory::tests::code_that_has_run_is_mapped_no_more_and_runs_again", || {
        // Once so that both looks find what the looking takes.
        settle();
        run(work());
        let before = mapped();
        settle();
        let after = mapped();
        assert!(after < before, "{after} kB are mapped, {before} kB were");
    });
}

#[test]
fn code_that_ran_later_is_given_back_within_a_minute() {
    alone("memory::tests::code_that_ran_later_is_given_back_within_a_minute", || {
        run(async {
            let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
            let tasks = Tasks::new(clock.clone());
            keep_settled(&clock, &tasks);
            work().await;
            let before = mapped();
            for _ in 0..1000 {
                hand.step(PERIOD);
                Clock::system().sleep(Duration::from_millis(1)).await;
                if mapped() < before {
                    return;
                }
            }
            panic!("{before} kB are still mapped");
        });
    });
}

//! See the function of this name in `finial_fuzz::TARGETS`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| finial_fuzz::run("server_answer", data));

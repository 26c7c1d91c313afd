//! How log lines write a number of bytes.

use super::Size;

#[test]
fn sizes_are_written_for_people() {
    for (bytes, text) in [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1229, "1.2 KiB"),
        (3 << 20, "3.0 MiB"),
        (5 << 40, "5.0 TiB"),
        (5 << 50, "5120.0 TiB"),
    ] {
        assert_eq!(Size(bytes).to_string(), text);
    }
}

//! What a line shows of others' words.

use super::{EXCERPT, excerpt};

#[test]
fn others_can_neither_break_a_line_nor_fill_the_log() {
    assert_eq!(excerpt("CN=a\nb\u{1b}"), "CN=a\\nb\\u{1b}");
    assert_eq!(excerpt(&"é".repeat(EXCERPT)), "é".repeat(EXCERPT));
    assert_eq!(excerpt(&"é".repeat(36_000)), "é".repeat(EXCERPT) + "…");
    assert_eq!(excerpt(""), "");
}

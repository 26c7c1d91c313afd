//! What the duplicate-detecting reader accepts and refuses.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::parse_object;

#[test]
fn objects_are_read_whole() {
    let text = br#" {"a": null, "b": [true, -1, 1.5, "x\u0041"], "c": {"a": 18446744073709551615}} "#;
    let expected: serde_json::Value = serde_json::from_slice(text).unwrap();
    assert_eq!(serde_json::Value::Object(parse_object(text).unwrap()), expected);
}

#[test]
fn bad_documents_are_refused() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":[{"b":1,"b":2}]}"#,
        r#"{"a":1,"\u0061":2}"#,
        "[]",
        "1",
        "null",
        "",
        "{",
        "{} {}",
        "{}x",
        r#"{"a":}"#,
        r#"{a:1}"#,
        r#"{"a":1,}"#,
        r#"{"a":NaN}"#,
        r#"{"a":01}"#,
    ] {
        assert!(parse_object(text.as_bytes()).is_err(), "{text}");
    }
    assert!(parse_object(b"{\"a\":\"\xff\"}").is_err());
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    let text = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse_object(text.as_bytes()).is_err());
}

#[test]
fn duplicate_is_named() {
    let error = parse_object(br#"{"sub":1,"sub":2}"#).unwrap_err();
    assert!(error.to_string().starts_with("duplicate member `sub`"), "{error}");
}

//! Claims as a Struct.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::json;

use super::to_struct;

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn text(text: &str) -> Value {
    value(Kind::StringValue(text.to_owned()))
}

fn list(values: Vec<Value>) -> Value {
    value(Kind::ListValue(ListValue { values }))
}

fn claims(json: &serde_json::Value) -> Struct {
    to_struct(json.as_object().unwrap())
}

#[test]
fn every_kind_of_claim_has_its_kind_of_value() {
    let given = claims(&json!({
        "sub": "spiffe://example.org/db", "exp": 1_800_000_000, "ok": true, "none": null,
        "list": ["a", 1.5], "object": {"inner": "b"},
    }));
    let inner = [("inner".to_owned(), text("b"))].into();
    let expected = [
        ("sub", text("spiffe://example.org/db")),
        ("exp", value(Kind::NumberValue(1_800_000_000.0))),
        ("ok", value(Kind::BoolValue(true))),
        ("none", value(Kind::NullValue(0))),
        ("list", list(vec![text("a"), value(Kind::NumberValue(1.5))])),
        ("object", value(Kind::StructValue(Struct { fields: inner }))),
    ];
    assert_eq!(given.fields, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[test]
fn audience_is_always_a_list() {
    assert_eq!(claims(&json!({"aud": "db"})).fields["aud"], list(vec![text("db")]));
    assert_eq!(claims(&json!({"aud": ["db", "web"]})).fields["aud"], list(vec![text("db"), text("web")]));
}

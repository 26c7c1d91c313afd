//! The claims of a JWT-SVID as a protobuf Struct.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::{Map, Value as Json};

/// The claims; `aud` is a list even where the token has a single text (SPIRE's habit, which clients rely on).
pub(crate) fn to_struct(claims: &Map<String, Json>) -> Struct {
    let mut fields = to_fields(claims);
    if let Some(audience) = fields.get_mut("aud")
        && !matches!(audience.kind, Some(Kind::ListValue(_)))
    {
        let only = std::mem::take(audience);
        audience.kind = Some(Kind::ListValue(ListValue { values: vec![only] }));
    }
    Struct { fields }
}

fn to_fields(object: &Map<String, Json>) -> std::collections::BTreeMap<String, Value> {
    object.iter().map(|(name, value)| (name.clone(), to_value(value))).collect()
}

fn to_value(value: &Json) -> Value {
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(*value),
        // A Struct has no integers; beyond 2^53 a number loses digits, as in SPIRE.
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or(f64::NAN)),
        Json::String(value) => Kind::StringValue(value.clone()),
        Json::Array(values) => Kind::ListValue(ListValue { values: values.iter().map(to_value).collect() }),
        Json::Object(object) => Kind::StructValue(Struct { fields: to_fields(object) }),
    };
    Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests;

//! The outcome of one item of a batch.

use tonic::{Code, Status};

use crate::proto::types;

/// It went well.
pub(crate) fn ok() -> types::Status {
    item(Code::Ok, "OK")
}

/// It ended so.
pub(crate) fn item(code: Code, message: &str) -> types::Status {
    types::Status { code: code.into(), message: message.to_owned() }
}

/// It failed so.
pub(crate) fn of(status: &Status) -> types::Status {
    item(status.code(), status.message())
}

/// How it ended, and with what.
pub(crate) fn outcome<T>(outcome: Result<T, Status>) -> (types::Status, Option<T>) {
    match outcome {
        Ok(value) => (ok(), Some(value)),
        Err(status) => (of(&status), None),
    }
}

/// An item of a server's answer: what it holds, or why it holds nothing.
pub(crate) fn result(status: Option<types::Status>) -> Result<(), Status> {
    let status =
        status.ok_or_else(|| Status::internal("the server's answer has an item without a status"))?;
    match Code::from_i32(status.code) {
        Code::Ok => Ok(()),
        code => Err(Status::new(code, status.message)),
    }
}

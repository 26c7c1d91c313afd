//! Those who are asked about a case.

mod openssl;
mod ours;
mod python;

pub(crate) use openssl::OpenSsl;
pub(crate) use ours::refusal;
pub(crate) use python::Python;

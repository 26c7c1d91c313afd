//! The page about the public corpus. Its list of what applies is written by hand, and its verdicts of ours are held against the
//! truth by the tests of `finial-identity`, which reach path validation itself.

use super::{
    svid::openssl_column,
    table::{Written, word},
};
use crate::limbo::Limbo;

/// Writes the table again, with OpenSSL's verdicts as they are; the rest of `written` stays.
///
/// # Errors
/// When a case is malformed or OpenSSL fails.
pub fn limbo_page(corpus: &Limbo, written: &str) -> anyhow::Result<String> {
    let table = Written::read(written);
    let openssl = openssl_column(corpus, &table, 4)?;
    let head = written.split("| case |").next().unwrap_or_default();
    let mut page = head.to_owned();
    page += &format!(
        "| case | role | right | Finial | {} | applies |\n|---|---|---|---|---|---|\n",
        openssl.title
    );
    for case in &corpus.testcases {
        let role = format!("{:?}", case.validation_kind).to_lowercase();
        let (ours, applies) = (table.cell(&case.id, 3), table.cell(&case.id, 5));
        let (right, theirs) = (word(case.expected_result), openssl.cell(case));
        page += &format!("| `{}` | {role} | {right} | {ours} | {theirs} | {applies} |\n", case.id);
    }
    Ok(page)
}

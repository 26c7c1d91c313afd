//! The page about our corpus.

use std::path::Path;

use super::table::{Column, Written, word};
use crate::judges::{OpenSsl, Python, refusal};
use crate::limbo::{Limbo, Verdict};
use crate::place::{SVID, path};

const HEAD: &str = "\
# X.509-SVIDs: who accepts what

The corpus [tests/data/x509-svid.json](../../tests/data/x509-svid.json) has, in the schema of x509-limbo, chains that a verifier of X.509-SVIDs must
accept or refuse, each with one thing that is odd. The anchors of a case are the bundle of `example.org`, the only one that the verifier has. `make conformance`
writes corpus and page; a test holds both against what is true today. A verdict in bold is wrong.

How the others are asked, and what their verdicts mean:

- **Finial**: `X509Svid::from_chain`, then `X509Svid::verify` against the bundle, as for a peer in a handshake.
- **OpenSSL**: `openssl verify -x509_strict -partial_chain -purpose …`. It judges chains and knows nothing of SPIFFE: in the groups `names`, `ids` and `usages`
  that it accepts says little, and is no fault.
- **spiffe** (py-spiffe): `X509Svid.parse`, which judges the document. It does not look at who signed it, when, or for which role: in the groups `chains`,
  `path-lengths`, `anchors`, `validity` and `constraints` that it accepts says little, and is no fault.
- **spiffe-tls** (py-spiffe): a handshake with its TLS context and `authorize_any`, which rests on OpenSSL's judgement of the chain and looks at the ID. A
  dash: the corpus has no private key to present the leaf with.
";

/// Writes the page from what the verifiers say; `written` is the page before, which stands in for those that are missing.
///
/// # Errors
/// When a case is malformed or a verifier fails.
pub fn svid_page(corpus: &Limbo, written: &str) -> anyhow::Result<String> {
    let written = Written::read(written);
    let mut finial = Column::new("Finial");
    for case in &corpus.testcases {
        let verdict = if refusal(case)?.is_none() { Verdict::Accepts } else { Verdict::Refuses };
        finial.add(case, Some(verdict));
    }
    let openssl = openssl_column(corpus, &written, 4)?;
    let [spiffe, spiffe_tls] = python_columns(corpus, &written, &path(SVID))?;
    let columns = [finial, openssl, spiffe, spiffe_tls];
    let titles = columns.iter().map(|column| format!(" {} |", column.title)).collect::<String>();
    let summaries: Vec<String> = columns.iter().map(Column::summary).collect();
    let mut page = format!(
        "{HEAD}\n{} cases:\n\n| verifier | right | accepts wrongly | refuses wrongly |\n|---|---|---|---|\n{}\n\n",
        corpus.testcases.len(),
        summaries.join("\n")
    );
    page +=
        &format!("| case | what is odd | right |{titles}\n|---|---|---|{}\n", "---|".repeat(columns.len()));
    for case in &corpus.testcases {
        let verdicts = columns.iter().map(|column| format!(" {} |", column.cell(case))).collect::<String>();
        page +=
            &format!("| `{}` | {} | {} |{verdicts}\n", case.id, case.description, word(case.expected_result));
    }
    Ok(page)
}

/// OpenSSL's verdicts: as they are, or as they were when another version or none is installed.
pub(super) fn openssl_column(corpus: &Limbo, written: &Written<'_>, place: usize) -> anyhow::Result<Column> {
    let Some(openssl) = OpenSsl::found().filter(|it| is_current(written.title(place), &it.version)) else {
        return Ok(written.column(place));
    };
    let mut column = Column::new(&openssl.version);
    for case in &corpus.testcases {
        column.add(case, Some(openssl.verdict(case)?));
    }
    Ok(column)
}

fn python_columns(corpus: &Limbo, written: &Written<'_>, file: &Path) -> anyhow::Result<[Column; 2]> {
    let answer = Python::found().map(|python| python.judge(file)).transpose()?;
    let titles =
        answer.as_ref().map(|it| [format!("spiffe {}", it.spiffe), format!("spiffe-tls {}", it.spiffe_tls)]);
    let (Some(answer), Some([spiffe, spiffe_tls])) = (answer, titles) else {
        return Ok([written.column(5), written.column(6)]);
    };
    let (mut documents, mut handshakes) = (Column::new(spiffe), Column::new(spiffe_tls));
    for case in &corpus.testcases {
        let verdicts = answer.verdicts.get(&case.id);
        documents.add(case, verdicts.map(|verdicts| verdicts.document));
        handshakes.add(case, verdicts.and_then(|verdicts| verdicts.handshake));
    }
    Ok([documents, handshakes])
}

/// Whether a column may be written by this version: the one that wrote it, or any when the page is being written anew.
pub(super) fn is_current(written: &str, version: &str) -> bool {
    written == version || written == "?" || std::env::var_os("FINIAL_BLESS").is_some()
}

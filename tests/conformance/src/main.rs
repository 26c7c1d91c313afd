//! Writes the corpus and the pages anew: `finial-conformance corpus | pages`.

use std::process::ExitCode;

use finial_conformance::{LIMBO, LIMBO_PAGE, Limbo, SVID, SVID_PAGE, generate, limbo_page, path, svid_page};

const USAGE: &str = "usage: finial-conformance corpus | pages";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["corpus"] => corpus(),
        ["pages"] => pages(),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn corpus() -> anyhow::Result<()> {
    let file = path(SVID);
    let before = if file.exists() { Some(Limbo::read(&file)?) } else { None };
    std::fs::write(file, generate(before.as_ref())?.to_json()?)?;
    Ok(())
}

fn pages() -> anyhow::Result<()> {
    let page = |file: &str| std::fs::read_to_string(path(file)).unwrap_or_default();
    let limbo = limbo_page(&Limbo::read(&path(LIMBO))?, &page(LIMBO_PAGE))?;
    let svid = svid_page(&Limbo::read(&path(SVID))?, &page(SVID_PAGE))?;
    std::fs::write(path(LIMBO_PAGE), limbo)?;
    std::fs::write(path(SVID_PAGE), svid)?;
    Ok(())
}

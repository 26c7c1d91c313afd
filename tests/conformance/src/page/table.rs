//! A table in Markdown, written and read back: what a verifier said that is not at hand today is kept.

use std::collections::BTreeMap;

use crate::limbo::{Case, Verdict};

/// A verifier's verdicts, by case.
pub(super) struct Column {
    /// The verifier and its version.
    pub(super) title: String,
    verdicts: BTreeMap<String, String>,
}

impl Column {
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), verdicts: BTreeMap::new() }
    }

    /// A verdict, in bold when it is wrong.
    pub(super) fn add(&mut self, case: &Case, verdict: Option<Verdict>) {
        let text = match verdict {
            None => "—".to_owned(),
            Some(verdict) if verdict == case.expected_result => word(verdict).to_owned(),
            Some(verdict) => format!("**{}**", word(verdict)),
        };
        self.verdicts.insert(case.id.clone(), text);
    }

    pub(super) fn cell(&self, case: &Case) -> &str {
        self.verdicts.get(&case.id).map_or("?", String::as_str)
    }

    /// How many cases it decides rightly, and accepts or refuses against what is right.
    pub(super) fn summary(&self) -> String {
        let count = |wanted: &str| self.verdicts.values().filter(|text| *text == wanted).count();
        let (accepts, refuses) = (count("**accepts**"), count("**refuses**"));
        let judged = self.verdicts.values().filter(|text| *text != "—").count();
        format!("| {} | {} | {} | {} |", self.title, judged - accepts - refuses, accepts, refuses)
    }
}

pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepts => "accepts",
        Verdict::Refuses => "refuses",
    }
}

/// A table as it was written before.
pub(super) struct Written<'a> {
    titles: Vec<&'a str>,
    rows: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Written<'a> {
    /// The table whose first column is `case`.
    pub(super) fn read(page: &'a str) -> Self {
        let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
        let mut lines = page.lines().skip_while(|line| !line.starts_with("| case |"));
        let titles = lines.next().map(cells).unwrap_or_default();
        let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells);
        Self { titles, rows: rows.map(|row| (row[0].trim_matches('`'), row)).collect() }
    }

    /// The title of the column at this place.
    pub(super) fn title(&self, place: usize) -> &str {
        self.titles.get(place).copied().unwrap_or("?")
    }

    /// What stands there about a case.
    pub(super) fn cell(&self, case: &str, place: usize) -> &'a str {
        self.rows.get(case).and_then(|row| row.get(place).copied()).unwrap_or("?")
    }

    /// The column at this place.
    pub(super) fn column(&self, place: usize) -> Column {
        let verdicts = self.rows.keys().map(|case| ((*case).to_owned(), self.cell(case, place).to_owned()));
        Column { title: self.title(place).to_owned(), verdicts: verdicts.collect() }
    }
}

//! docs/limits.md beside the constants: a limit that changes in the code changes there.

use std::fs;

use finial_testkit::sources;

use super::{document, root};

/// A row of the table that names a constant: the limit as people read it, the room, and the constant's name.
struct Row<'a> {
    limit: &'a str,
    room: &'a str,
    constant: &'a str,
}

impl<'a> Row<'a> {
    fn in_line(line: &'a str) -> Option<Self> {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, _, limit, constant, ..] = cells[..] else { return None };
        let (room, name) = constant.split_once(" `")?;
        let name = name.strip_suffix('`')?;
        Some(Self { limit, room, constant: name.rsplit("::").next().unwrap_or(name) })
    }

    /// What the room's constants of this name are, as people read them.
    fn values(&self) -> Vec<String> {
        let folder = ["base", "flow", "programs"].map(|floor| root().join(floor).join(self.room));
        let folder = folder.iter().find(|folder| folder.is_dir()).expect(self.room);
        let files = sources(&folder.join("src"));
        let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        texts.iter().flat_map(|text| text.lines()).filter_map(|line| self.value(line.trim())).collect()
    }

    fn value(&self, line: &str) -> Option<String> {
        let (_, rest) = line.split_once(self.constant)?;
        let value = match rest.strip_prefix(": ")?.split_once(" = ") {
            Some((_, value)) => value.strip_suffix(';')?,
            // A default, such as `per_user: 20_000`.
            None => rest.strip_prefix(": ")?.split([',', ' ']).next()?,
        };
        match value.strip_prefix("Duration::from_secs(") {
            Some(seconds) => Some(format!("{} s", number(seconds.strip_suffix(')')?)?)),
            None => Some(readable(number(value)?)),
        }
    }
}

/// `4 * 1024`, `64 << 10` or `16_384`.
fn number(expression: &str) -> Option<u64> {
    let plain = |text: &str| text.trim().replace('_', "").parse::<u64>().ok();
    if let Some((value, places)) = expression.split_once("<<") {
        return Some(plain(value)? << plain(places)?);
    }
    expression.split('*').map(plain).product()
}

/// In the largest unit of bytes that fits, or with a comma for each thousand.
fn readable(value: u64) -> String {
    match value {
        _ if value >= 1 << 20 && value.is_multiple_of(1 << 20) => format!("{} MiB", value >> 20),
        _ if value > 1 << 10 && value.is_multiple_of(1 << 10) && value < 1 << 20 => {
            format!("{} KiB", value >> 10)
        }
        _ => {
            let digits = value.to_string();
            let first = digits.len() % 3;
            let groups = digits.as_bytes()[first..].chunks(3).map(|group| str::from_utf8(group).unwrap());
            let first = (first > 0).then_some(&digits[..first]);
            first.into_iter().chain(groups).collect::<Vec<_>>().join(",")
        }
    }
}

#[test]
fn every_limit_is_what_the_code_says() {
    let text = document("docs/limits.md");
    let rows: Vec<Row<'_>> = text.lines().filter_map(Row::in_line).collect();
    assert!(rows.len() >= 35, "{} rows", rows.len());
    for row in rows {
        let values = row.values();
        // A limit that is said in bytes, or in KiB where that is round.
        let is_said = |value: &String| {
            let said = row.limit.trim_end_matches(" bytes").trim_end_matches(" certificates");
            let bytes =
                value.strip_suffix(" KiB").and_then(|kib| kib.parse::<u64>().ok()).map(|kib| kib << 10);
            said == value || bytes.is_some_and(|bytes| said.replace(',', "") == bytes.to_string())
        };
        assert!(values.iter().any(is_said), "{}: {} here, {values:?} there", row.constant, row.limit);
    }
}

#[test]
fn numbers_are_read_and_written() {
    assert_eq!(["4 * 1024 * 1024", "64 << 10", "1_000"].map(number), [4 << 20, 64 << 10, 1000].map(Some));
    assert_eq!(
        [4 << 20, 64 << 10, 16_384, 1_000_000, 500].map(readable),
        ["4 MiB", "64 KiB", "16 KiB", "1,000,000", "500"]
    );
}

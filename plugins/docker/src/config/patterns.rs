//! `container_id_cgroup_matchers`: patterns of the user's own for the paths of control groups.

use finial_attest::ContainerId;

/// Patterns that find the id of a container in the path of a control group, no two of which match the same path.
///
/// A pattern is matched part by part between slashes. `*` stands for a part or a piece of one, `<id>`, once, for the id: `/docker/<id>`, `/my.slice/*/docker-<id>.scope/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPatterns(Vec<Pattern>);

impl IdPatterns {
    /// Reads the patterns.
    ///
    /// # Errors
    /// For a pattern that does not begin with a slash, or has not `<id>` once; for two that match the same path.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let patterns: Vec<_> = patterns.into_iter().map(Pattern::parse).collect::<Result<_, _>>()?;
        for (index, one) in patterns.iter().enumerate() {
            if let Some(other) = patterns[index + 1..].iter().find(|other| one.overlaps(other)) {
                return Err(format!(
                    "`{}` and `{}` match the same paths: keep one",
                    one.text(),
                    other.text()
                ));
            }
        }
        Ok(Self(patterns))
    }

    /// The id in this path; none when no pattern matches, or what stands there is no id.
    pub(crate) fn find(&self, path: &str) -> Option<ContainerId> {
        self.0.iter().find_map(|pattern| pattern.find(path))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<Part>);

/// What stands between two slashes: a text around `*`, around `<id>`, or alone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    before: String,
    token: Token,
    after: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Nothing,
    Anything,
    Id,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.strip_prefix('/').ok_or_else(|| format!("`{text}` must begin with a slash"))?;
        let parts: Vec<Part> = parts
            .split('/')
            .map(|part| {
                Part::parse(part).ok_or_else(|| format!("`{text}` has more than one * or <id> in `{part}`"))
            })
            .collect::<Result<_, _>>()?;
        match parts.iter().filter(|part| part.token == Token::Id).count() {
            1 => Ok(Self(parts)),
            _ => Err(format!("`{text}` must have <id> once, where the id of the container stands")),
        }
    }

    fn find(&self, path: &str) -> Option<ContainerId> {
        let found: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        if found.len() != self.0.len() {
            return None;
        }
        let mut id = None;
        for (part, found) in self.0.iter().zip(found) {
            let matched = part.matched(found)?;
            if part.token == Token::Id {
                id = ContainerId::parse(matched);
            }
        }
        id
    }

    /// Whether some path matches both.
    fn overlaps(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(one, other)| one.overlaps(other))
    }

    fn text(&self) -> String {
        let token = |token| match token {
            Token::Nothing => "",
            Token::Anything => "*",
            Token::Id => "<id>",
        };
        self.0.iter().map(|part| format!("/{}{}{}", part.before, token(part.token), part.after)).collect()
    }
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        let split = text.split_once("<id>").map(|around| (around, Token::Id));
        let split = split.or_else(|| text.split_once('*').map(|around| (around, Token::Anything)));
        let ((before, after), token) = split.unwrap_or(((text, ""), Token::Nothing));
        let is_plain = |text: &str| !text.contains('*') && !text.contains("<id>");
        (is_plain(before) && is_plain(after)).then(|| Self {
            before: before.to_owned(),
            token,
            after: after.to_owned(),
        })
    }

    /// What stands for the token, when the part matches.
    fn matched<'a>(&self, found: &'a str) -> Option<&'a str> {
        let rest = found.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        ((self.token == Token::Nothing) == rest.is_empty()).then_some(rest)
    }

    /// Whether some text matches both.
    fn overlaps(&self, other: &Self) -> bool {
        match (self.token, other.token) {
            (Token::Nothing, _) => other.matched(&self.before).is_some(),
            (_, Token::Nothing) => self.matched(&other.before).is_some(),
            _ => {
                let begins = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
                let ends = |one: &str, other: &str| one.ends_with(other) || other.ends_with(one);
                begins(&self.before, &other.before) && ends(&self.after, &other.after)
            }
        }
    }
}

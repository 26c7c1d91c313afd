//! Patterns over SPIFFE IDs, in ghostunnel's grammar: `spiffe://example.org/ns/*/sa/**`.

#[cfg(test)]
mod tests;

/// A pattern that does not follow the grammar. The texts are ghostunnel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriPatternError {
    /// The pattern has no characters.
    #[error("input pattern was empty string")]
    Empty,
    /// A `*` stands beside other characters of a segment.
    #[error("wildcard '*' can only appear between two separators")]
    PartOfSegment,
    /// A `**` stands elsewhere than as the last segment.
    #[error("wildcard '**' can only appear at end of pattern")]
    NotAtEnd,
}

/// A list of patterns, matched when any of them matches.
///
/// Segments are what stands between slashes. `*` as a whole segment matches one segment that is not empty; `**` as
/// the last segment matches any rest, none included: `spiffe://a/**` also matches `spiffe://a`. Case counts, and
/// one slash at the end of a pattern or a URI does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriPatterns {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    segments: Vec<Segment>,
    open_ended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Exactly(String),
    AnyOne,
}

impl UriPatterns {
    /// Reads each pattern.
    ///
    /// # Errors
    /// With the rule that the first bad pattern breaks.
    pub fn parse<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, UriPatternError> {
        let patterns = patterns.into_iter().map(|pattern| Pattern::parse(pattern.as_ref()));
        Ok(Self { patterns: patterns.collect::<Result<_, _>>()? })
    }

    /// Whether any of the patterns matches the whole of `uri`.
    pub fn matches(&self, uri: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(uri))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, UriPatternError> {
        if text.is_empty() {
            return Err(UriPatternError::Empty);
        }
        let mut texts: Vec<&str> = without_last_slash(text).split('/').collect();
        let open_ended = texts.last() == Some(&"**");
        if open_ended {
            texts.pop();
        }
        let segments = texts.into_iter().map(Segment::parse).collect::<Result<_, _>>()?;
        Ok(Self { segments, open_ended })
    }

    fn matches(&self, uri: &str) -> bool {
        let mut rest = without_last_slash(uri).split('/');
        let all = self.segments.iter().all(|segment| rest.next().is_some_and(|text| segment.matches(text)));
        all && (self.open_ended || rest.next().is_none())
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, UriPatternError> {
        match text {
            "*" => Ok(Self::AnyOne),
            text if text.contains("**") => Err(UriPatternError::NotAtEnd),
            text if text.contains('*') => Err(UriPatternError::PartOfSegment),
            text => Ok(Self::Exactly(text.to_owned())),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(own) => own == text,
            Self::AnyOne => !text.is_empty(),
        }
    }
}

fn without_last_slash(text: &str) -> &str {
    text.strip_suffix('/').unwrap_or(text)
}

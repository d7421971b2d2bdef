use std::{collections::BTreeMap, fmt, str::FromStr};

/// The captures of a pattern: names with the text that each one matched.
pub(super) type Captures = BTreeMap<String, String>;

/// A text with named captures: `site-{site}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template(Vec<Part>);

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Literal(String),
    Capture(String),
}

impl Template {
    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The names of the captures, in the order of the text.
    pub(super) fn captures(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Capture(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The literal parts, in the order of the text.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            Part::Capture(_) => None,
        })
    }

    /// Two captures that no character separates which a capture cannot contain, so that different
    /// captures could give the same text.
    pub(super) fn ambiguous(&self, in_capture: impl Fn(char) -> bool) -> Option<(&str, &str)> {
        let mut last = None;
        for part in &self.0 {
            match part {
                Part::Literal(text) if text.chars().any(|c| !in_capture(c)) => last = None,
                Part::Literal(_) => {}
                Part::Capture(name) => {
                    if let Some(last) = last.replace(name.as_str()) {
                        return Some((last, name));
                    }
                }
            }
        }
        None
    }

    /// The text with these captures. `None` if one is missing.
    pub(super) fn render(&self, captures: &Captures) -> Option<String> {
        let parts = self.0.iter().map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            Part::Capture(name) => captures.get(name).map(String::as_str),
        });
        parts.collect()
    }
}

impl FromStr for Template {
    type Err = ();

    /// Fails if the text is empty, has a control character or a brace that does not belong to a
    /// capture, or if the name of a capture is not a lower-case word.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text.is_empty() || text.contains(char::is_control) {
            return Err(());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let literal = rest.find(['{', '}']).unwrap_or(rest.len());
            if literal > 0 {
                parts.push(Part::Literal(rest[..literal].to_owned()));
            }
            rest = &rest[literal..];
            if let Some(capture) = rest.strip_prefix('{') {
                let (name, after) = capture.split_once('}').ok_or(())?;
                if !is_name(name) {
                    return Err(());
                }
                parts.push(Part::Capture(name.to_owned()));
                rest = after;
            } else if !rest.is_empty() {
                return Err(());
            }
        }
        Ok(Self(parts))
    }
}

/// Whether a text is a lower-case letter, followed by lower-case letters, digits and `_`.
fn is_name(text: &str) -> bool {
    let is_inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(is_inside)
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            Part::Capture(name) => write!(f, "{{{name}}}"),
        })
    }
}

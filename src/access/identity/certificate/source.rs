use super::{
    names::ATTRIBUTES,
    template::{Part, Template},
};

/// The part of a client certificate that a pattern is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameSource {
    /// A SPIFFE id, which must be the only URI of the certificate.
    Spiffe,
    /// Any other URI.
    Uri,
    /// A DNS name without a wildcard, in lower case.
    Dns,
    /// An e-mail address, with its domain in lower case.
    Email,
    /// The subject.
    Subject,
}

/// The characters that captures of a text can contain.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alphabet {
    /// A label of a DNS name.
    Label,
    /// A segment of a path.
    Segment,
    /// A value of an attribute of a subject: words with single spaces between them.
    Words,
}

impl Alphabet {
    fn regex(self) -> &'static str {
        match self {
            Self::Label => "[a-z0-9_-]+",
            Self::Segment => "[A-Za-z0-9._-]+",
            Self::Words => "[A-Za-z0-9._-]+(?: [A-Za-z0-9._-]+)*",
        }
    }

    pub(super) fn contains(self, c: char) -> bool {
        let others = match self {
            Self::Label => "_-",
            Self::Segment => "._-",
            Self::Words => "._- ",
        };
        c.is_ascii_alphanumeric() || others.contains(c)
    }
}

impl NameSource {
    /// The characters of all captures of a name of this source.
    pub(super) fn alphabet(self) -> Alphabet {
        match self {
            Self::Dns => Alphabet::Label,
            Self::Spiffe | Self::Uri | Self::Email => Alphabet::Segment,
            Self::Subject => Alphabet::Words,
        }
    }

    /// Parses a pattern of names of this source.
    pub(super) fn parse(self, pattern: &str) -> Result<Vec<Piece>, String> {
        let lower = |text: &str, alphabet| {
            let template = template(text)?;
            let has_upper = |text: &str| text.contains(|c: char| c.is_ascii_uppercase());
            let is_lower = !template.literals().any(has_upper);
            match is_lower {
                false => {
                    Err("has upper-case letters in a DNS name, which is compared in lower case".to_owned())
                }
                true => Ok(Piece::new("", template, alphabet)),
            }
        };
        let any = |text: &str| template(text).map(|template| Piece::new("", template, Alphabet::Segment));
        match self {
            Self::Spiffe if !pattern.starts_with("spiffe://") => {
                Err("does not begin with spiffe://, as every SPIFFE id".to_owned())
            }
            Self::Uri if pattern.to_ascii_lowercase().starts_with("spiffe:") => {
                Err("is for SPIFFE ids; set from = \"spiffe\"".to_owned())
            }
            Self::Spiffe | Self::Uri => Ok(vec![any(pattern)?]),
            Self::Dns => Ok(vec![lower(pattern, Alphabet::Label)?]),
            Self::Email => match pattern.split_once('@') {
                Some((local, domain)) if !domain.contains('@') => {
                    Ok(vec![any(local)?, lower(domain, Alphabet::Label)?])
                }
                _ => Err("does not have exactly one @".to_owned()),
            },
            Self::Subject => subject_pieces(pattern),
        }
    }
}

/// A part of a pattern, with what its captures can contain: a name, one side of an e-mail address,
/// or an attribute of a subject.
pub(super) struct Piece {
    pub(super) attribute: &'static str,
    pub(super) template: Template,
    pub(super) alphabet: Alphabet,
}

impl Piece {
    fn new(attribute: &'static str, template: Template, alphabet: Alphabet) -> Self {
        Self {
            attribute,
            template,
            alphabet,
        }
    }

    pub(super) fn regex(&self) -> String {
        let parts = self.template.parts().iter().map(|part| match part {
            Part::Literal(text) => regex::escape(text),
            Part::Capture(name) => format!("(?<{name}>{})", self.alphabet.regex()),
        });
        parts.collect()
    }
}

const FORM: &str =
    "is not a pattern; expected text with captures in braces, such as {name}, each a lower-case word";

fn template(text: &str) -> Result<Template, String> {
    text.parse().map_err(|()| FORM.to_owned())
}

/// The parts of a pattern of subjects: `CN={name},OU={site}`.
fn subject_pieces(pattern: &str) -> Result<Vec<Piece>, String> {
    let parts = split_at_commas(pattern).into_iter().map(|part| {
        let (name, text) = part.split_once('=').ok_or_else(|| {
            format!("{part:?} has no =; expected parts such as CN={{name}}, with commas between them")
        })?;
        let attribute = ATTRIBUTES.iter().find(|(known, _)| *known == name.trim());
        let (attribute, _) = attribute.ok_or_else(|| {
            let known: Vec<_> = ATTRIBUTES.iter().map(|(known, _)| *known).collect();
            format!("unknown attribute {name:?}; expected one of {}", known.join(", "))
        })?;
        Ok(Piece::new(attribute, template(text)?, Alphabet::Words))
    });
    parts.collect()
}

/// Splits a text at its commas. A comma behind a backslash is text.
fn split_at_commas(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, parts.last_mut()) {
            ('\\', Some(part)) if chars.next_if_eq(&',').is_some() => part.push(','),
            (',', _) => parts.push(String::new()),
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    parts
}

use std::fmt;

/// Why a value was refused: what is wrong with it, and what would be right.
///
/// The message is written for the caller who sent the value, and stands alone:
/// the name of the field is added by whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(String);

impl Invalid {
    /// A refusal with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// `text` as a message shows it: in quotes, control characters escaped, and
    /// no longer than a line, whatever the caller sent.
    pub fn quote(text: &str) -> String {
        const SHOWN: usize = 120;
        match text.char_indices().nth(SHOWN) {
            None => format!("{text:?}"),
            Some((end, _)) => format!("{:?}… ({} bytes)", &text[..end], text.len()),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

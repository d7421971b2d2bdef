use std::fmt;

/// Why a value is invalid: what is wrong with it, what is right, and what to do.
///
/// The message is for the caller that sent the value. It does not name the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(String);

impl Invalid {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// `text` as a message shows it: in quotes, with control characters escaped, and shortened to 120
    /// characters.
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

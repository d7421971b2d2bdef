use std::fmt;

/// What a create that did not succeed has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No tape was made.
    NotApplied,
    /// A tape may have been made.
    Unknown,
}

/// The word that `outcome` in the metadata of `ErrorInfo` has for it.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotApplied => "not_applied",
            Self::Unknown => "unknown",
        })
    }
}

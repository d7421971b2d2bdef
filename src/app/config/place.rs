use std::fmt;

/// Where a value was given, and so where its fault is put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The configuration file as a whole.
    File {
        /// The path as it was given.
        path: String,
    },
    /// A spot in the configuration file.
    Spot {
        /// The path as it was given.
        path: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
    },
    /// An environment variable, by name.
    Variable(String),
    /// A flag, with its two hyphens.
    Flag(String),
    /// No place: a setting, by key, that nobody gave.
    Absent(&'static str),
    /// What the command sets where nobody says otherwise, such as `tapegate dev`.
    Preset(&'static str),
    /// The default, the same for every command.
    Default,
}

impl Place {
    /// The spot in the file `path` with this `text` that lies `offset` bytes in.
    pub(super) fn spot(path: &str, text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self::Spot {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => f.write_str(path),
            Self::Spot { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
            Self::Absent(key) => f.write_str(key),
            Self::Preset(command) => write!(f, "default of {command}"),
            Self::Default => f.write_str("default"),
        }
    }
}

use std::fmt;

/// Where a value was given, and so where to correct it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The configuration file as a whole.
    File {
        /// The path as it was given.
        path: String,
    },
    /// A position in the configuration file.
    Position {
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
    /// The listener that the service manager has opened.
    InheritedSocket,
    /// Nowhere: the key of a setting that is not set.
    Unset(&'static str),
    /// The default of one command, such as `tapegate dev`.
    CommandDefault(&'static str),
    /// The default of the setting.
    Default,
}

impl Origin {
    /// The position that lies `offset` bytes into this `text` of the file `path`.
    pub(super) fn position(path: &str, text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self::Position {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => f.write_str(path),
            Self::Position { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
            Self::InheritedSocket => f.write_str("socket of the service manager (LISTEN_FDS)"),
            Self::Unset(key) => f.write_str(key),
            Self::CommandDefault(command) => write!(f, "default of {command}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One fault of a configuration: where it is, what is wrong, and what is valid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where to correct it.
    pub origin: Origin,
    /// What is wrong, and what is valid. Never contains the value of a secret.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// All faults of a configuration: those of the file first, from top to bottom, then those of
/// variables and flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault.
    pub(crate) fn push(&mut self, origin: Origin, message: impl Into<String>) {
        self.0.push(Fault {
            origin,
            message: message.into(),
        });
    }

    /// Adds a fault of the setting `key`. The name of a variable or a flag shows the setting; a
    /// position in a file does not, so the message names it.
    pub(crate) fn push_about(&mut self, key: &str, origin: Origin, message: impl fmt::Display) {
        let message = match origin {
            Origin::Position { .. } => format!("{key}: {message}"),
            _ => message.to_string(),
        };
        self.push(origin, message);
    }

    /// `value`, if there is no fault.
    pub(crate) fn or<T>(mut self, value: Option<T>) -> Result<T, Self> {
        assert!(
            value.is_some() || !self.0.is_empty(),
            "a setting is read that SETTINGS or its table does not list"
        );
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => {
                self.0.sort();
                // A variable can be the default of several settings.
                self.0.dedup();
                Err(self)
            }
        }
    }

    /// Each fault, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| writeln!(f, "{fault}"))
    }
}

impl std::error::Error for Faults {}

/// The end of a fault's message that suggests the most similar of the `known` names:
/// `; did you mean listen?` Empty if none is similar.
pub(super) fn did_you_mean<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let last = |path: &str| path.rsplit('.').next().map(str::to_owned);
    // A key in the wrong section is most likely the key of that name.
    let same_key = |name: &str| if last(name) == last(unknown) { 1.0 } else { 0.0 };
    let likeness = |name: &str| same_key(name) + strsim::jaro(name, unknown);
    known
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}

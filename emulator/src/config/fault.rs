use std::fmt;

/// Where a value comes from, so where its fault is fixed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The configuration file as a whole.
    File(String),
    /// A spot in the configuration file, its line and column counted from 1.
    Spot {
        path: String,
        line: usize,
        column: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
    /// A setting without a value.
    Absent(&'static str),
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
            Self::File(path) => f.write_str(path),
            Self::Spot { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
            Self::Absent(key) => f.write_str(key),
        }
    }
}

/// Everything wrong with the settings of an emulator. Each line of its `Display` is one fault:
/// the place, what is wrong, and what is right. Secrets are not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<(Place, String)>);

impl Faults {
    /// Adds a fault.
    pub(crate) fn push(&mut self, place: Place, message: impl Into<String>) {
        self.0.push((place, message.into()));
    }

    /// Adds a fault of a setting. Flags and variables are named after their setting; a spot in the
    /// file is not.
    pub(super) fn push_about(&mut self, key: &str, place: Place, message: impl fmt::Display) {
        let message = match place {
            Place::Spot { .. } => format!("{key}: {message}"),
            _ => message.to_string(),
        };
        self.push(place, message);
    }

    /// These faults and others, in order.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.0.sort();
        self
    }

    /// The value, if nothing is wrong.
    pub(crate) fn or<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort();
        Err(self)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut faults = self.0.iter();
        faults.try_for_each(|(place, message)| writeln!(f, "{place}: {message}"))
    }
}

impl std::error::Error for Faults {}

/// The end of a message about an unknown name: `; did you mean listen?`, or nothing if no known
/// name is similar.
pub(super) fn did_you_mean<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let likeness = |name: &str| strsim::jaro(name, unknown);
    let nearest = known
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    nearest.map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}

use super::{
    Setting,
    values::Values,
    word::{Choice, Filter},
};

/// What is logged to stderr, and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Directives of tracing's `EnvFilter`, known to be valid (`log.filter`).
    pub filter: String,
    /// How a line looks (`log.format`).
    pub format: Format,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

pub(crate) static FILTER: Setting<Filter> = Setting {
    key: "log.filter",
    kind: Filter,
    default: Some("info,aws_config=error"),
    help: "Which lines are logged.",
};

pub(crate) static FORMAT: Setting<Choice<Format>> = Setting {
    key: "log.format",
    kind: Choice(&[("human", Format::Human), ("json", Format::Json)]),
    default: Some("human"),
    help: "How lines look: for people, or one JSON object per line.",
};

impl Log {
    pub(super) fn read(values: &Values) -> Option<Self> {
        Some(Self {
            filter: values.get(&FILTER)?,
            format: values.get(&FORMAT)?,
        })
    }
}

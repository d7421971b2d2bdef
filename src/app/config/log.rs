use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use super::{
    Setting,
    values::Values,
    word::{Choice, Filter},
};

/// What is logged to stderr, and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Which lines are (`log.filter`).
    pub filter: Directives,
    /// How a line looks (`log.format`).
    pub format: Format,
}

/// Which lines are logged: directives of tracing's `EnvFilter`, known to be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives(String);

impl Directives {
    /// What they look like.
    pub const TAKES: &str = "directives of tracing's EnvFilter, each a level (off, error, warn, info, debug, trace) \
                             or target=level, such as info or warn,tapegate=debug";

    /// These directives; `None` where they are not.
    pub fn parse(text: &str) -> Option<Self> {
        // To EnvFilter any word is a target, so that `wran` would silence everything else.
        // In brackets, commas and words are those of spans.
        let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
        let clear = text.contains('[') || text.split(',').all(|word| word.contains('=') || is_level(word));
        (clear && !text.trim().is_empty() && EnvFilter::try_new(text).is_ok()).then(|| Self(text.to_owned()))
    }

    /// As they were written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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

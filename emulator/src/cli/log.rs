use std::{ffi::OsStr, io};

use clap::{Arg, ArgMatches};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::{Faults, Place, Variables};

const FILTER: &str = "log-filter";
pub(super) const FILTER_VARIABLE: &str = "TAPEGATE_LOG_FILTER";
const FILTER_TAKES: &str = "directives of tracing's EnvFilter, each a level (off, error, warn, info, debug, trace) \
                            or target=level, such as info or warn,tapegate_emulator=debug";
const FORMAT: &str = "log-format";
pub(super) const FORMAT_VARIABLE: &str = "TAPEGATE_LOG_FORMAT";
const FORMAT_TAKES: &str = "human or json";

/// What is logged to stderr, and in which format.
#[derive(Debug)]
pub(crate) struct Log {
    filter: EnvFilter,
    is_json: bool,
}

pub(crate) fn arguments() -> [Arg; 2] {
    let argument = |name, value_name, help| {
        Arg::new(name)
            .long(name)
            .value_name(value_name)
            .help(help)
            .help_heading("log")
    };
    [
        argument(
            FILTER,
            "FILTER",
            format!("Which lines are logged\n[{FILTER_TAKES}; default info; {FILTER_VARIABLE}]"),
        ),
        argument(
            FORMAT,
            "FORMAT",
            format!("The format of log lines\n[{FORMAT_TAKES}; default human; {FORMAT_VARIABLE}]"),
        ),
    ]
}

impl Log {
    pub(crate) fn read(matches: &ArgMatches, variables: &Variables, faults: &mut Faults) -> Self {
        let given = |flag: &str, variable: &str| {
            let by_flag = matches.get_one::<String>(flag);
            let by_flag = by_flag.map(|text| (Place::Flag(format!("--{flag}")), text.clone()));
            by_flag.or_else(|| {
                let text = variables.get(OsStr::new(variable))?;
                let place = Place::Variable(variable.to_owned());
                Some((place, text.to_string_lossy().into_owned()))
            })
        };
        let mut wrong = |place, text: &str, takes| {
            faults.push(place, format!("{text:?} is wrong; it takes {takes}"));
        };
        let filter = given(FILTER, FILTER_VARIABLE).and_then(|(place, text)| {
            let filter = parse(&text);
            if filter.is_none() {
                wrong(place, &text, FILTER_TAKES);
            }
            filter
        });
        let is_json = match given(FORMAT, FORMAT_VARIABLE) {
            None => false,
            Some((_, text)) if text == "human" => false,
            Some((_, text)) if text == "json" => true,
            Some((place, text)) => {
                wrong(place, &text, FORMAT_TAKES);
                false
            }
        };
        Self {
            filter: filter.unwrap_or_else(|| EnvFilter::new("info")),
            is_json,
        }
    }

    /// Begins to log, unless the process logs already.
    pub(crate) fn start(self) {
        let lines = fmt::layer().with_writer(io::stderr);
        let lines: Box<dyn Layer<_> + Send + Sync> = if self.is_json {
            lines.json().flatten_event(true).boxed()
        } else {
            lines
                .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
                .boxed()
        };
        // At TRACE the libraries log what goes over the wire, secrets too.
        let is_safe = filter_fn(|line| *line.level() < Level::TRACE || line.target().starts_with("tapegate"));
        let lines = lines.with_filter(self.filter.and(is_safe.with_max_level_hint(LevelFilter::TRACE)));
        let _ = tracing_subscriber::registry().with(lines).try_init();
    }
}

/// The filter of these directives, if they are valid.
fn parse(text: &str) -> Option<EnvFilter> {
    // EnvFilter takes any word for a target, so `wran` would silence everything else. In brackets,
    // commas and words are those of spans.
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let is_clear = text.contains('[') || text.split(',').all(|word| word.contains('=') || is_level(word));
    let filter = (is_clear && !text.trim().is_empty()).then(|| EnvFilter::try_new(text).ok());
    filter.flatten()
}

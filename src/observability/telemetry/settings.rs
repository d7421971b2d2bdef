use http::Uri;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::network::Proxies;

/// What is logged to stderr, and in which format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Which lines are logged.
    pub filter: Directives,
    /// The format of a line.
    pub format: LogFormat,
    /// The maximum number of lines that wait to be written to stderr (`log.queue`). Further ones are lost.
    pub queue: usize,
    /// The percentage of the calls with the code OK that get a line (`log.ok_percent`).
    pub ok_percent: u8,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Human,
    /// A JSON object.
    Json,
}

/// Valid directives of tracing's [`EnvFilter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives(String);

impl Directives {
    /// Which texts are valid.
    pub const EXPECTED: &str = "directives of tracing's EnvFilter, each a level (off, error, warn, info, debug, trace) \
                                or target=level, such as info or warn,tapegate=debug";

    /// Parses directives; `None` if they are not valid.
    pub fn parse(text: &str) -> Option<Self> {
        // EnvFilter takes any word for a target, so that `wran` would silence everything else.
        // Commas and words in brackets belong to spans.
        let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
        let is_clear = text.contains('[') || text.split(',').all(|word| word.contains('=') || is_level(word));
        (is_clear && !text.trim().is_empty() && EnvFilter::try_new(text).is_ok())
            .then(|| Self(text.to_owned()))
    }

    /// The directives as they were written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where traces, metrics and logs are exported to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpSettings {
    /// The collector. If there is none, the standard environment variables decide.
    pub endpoint: Option<Uri>,
    /// The protocol of `endpoint`.
    pub protocol: OtlpProtocol,
    /// The percentage of the traces started by this process that is exported.
    pub sample_percent: u8,
    /// Which proxy an export over HTTP uses. Exports over gRPC use none.
    pub proxies: Proxies,
}

/// The protocol of an OpenTelemetry collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP as protobuf over HTTP.
    Http,
}

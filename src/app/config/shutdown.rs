use std::time::Duration;

use super::{Setting, values::Values, word::Span};

/// How the service stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Between saying NOT_SERVING and closing the door (`shutdown.delay`).
    pub delay: Duration,
    /// The longest wait for open calls after the door is closed (`shutdown.drain_timeout`).
    pub drain_timeout: Duration,
}

pub(crate) static DELAY: Setting<Span> = Setting {
    key: "shutdown.delay",
    kind: Span(Duration::ZERO..=Duration::from_secs(10 * 60)),
    default: Some("0s"),
    help: "How long new calls are still taken after health says NOT_SERVING, so that load balancers \
           can look away.",
};

pub(crate) static DRAIN_TIMEOUT: Setting<Span> = Setting {
    key: "shutdown.drain_timeout",
    kind: Span(Duration::ZERO..=Duration::from_secs(60 * 60)),
    default: Some("30s"),
    help: "How long open calls may take to end once no new ones are taken.",
};

impl Shutdown {
    pub(super) fn read(values: &Values) -> Option<Self> {
        Some(Self {
            delay: values.get(&DELAY)?,
            drain_timeout: values.get(&DRAIN_TIMEOUT)?,
        })
    }
}

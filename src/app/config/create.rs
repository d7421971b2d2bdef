use std::time::Duration;

use super::{Setting, values::Values, word::Span};

/// When a tape that has a barcode already can be a call's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// How far AWS's clock may be behind this machine's (`create.clock_skew`).
    pub clock_skew: Duration,
    /// How long ago a client may have sent a call for the first time (`create.resend_window`).
    pub resend_window: Duration,
}

pub(crate) static CLOCK_SKEW: Setting<Span> = Setting {
    key: "create.clock_skew",
    kind: Span(Duration::ZERO..=Duration::from_secs(60 * 60)),
    default: Some("1m"),
    help: "How far AWS's clock may be behind this machine's when the age of a tape is judged.",
};

pub(crate) static RESEND_WINDOW: Setting<Span> = Setting {
    key: "create.resend_window",
    kind: Span(Duration::ZERO..=Duration::from_secs(24 * 60 * 60)),
    default: Some("10m"),
    help: "How much older than the call a tape may be that is taken for the call's own, when the client's library \
           says that it sent the call before (grpc-previous-rpc-attempts).",
};

impl Create {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        Some(Self {
            clock_skew: values.get(&CLOCK_SKEW)?,
            resend_window: values.get(&RESEND_WINDOW)?,
        })
    }
}

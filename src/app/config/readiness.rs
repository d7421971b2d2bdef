use super::{Setting, values::Values, word::Choice};

/// When the replica is to be sent no calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// What of AWS takes it out (`readiness.aws`).
    pub aws: TakenOutBy,
}

/// What of AWS, where it holds in every region that is served, makes a replica not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenOutBy {
    /// Nothing: it is reported.
    Nothing,
    /// That no answer comes.
    NoAnswer,
    /// That, or that calls are throttled.
    Throttling,
}

pub(crate) static AWS: Setting<Choice<TakenOutBy>> = Setting {
    key: "readiness.aws",
    kind: Choice(&[
        ("report", TakenOutBy::Nothing),
        ("no_answer", TakenOutBy::NoAnswer),
        ("throttled", TakenOutBy::Throttling),
    ]),
    default: Some("report"),
    help: "What of AWS makes the replica not ready, once it holds in every region: nothing, so that /readyz and a \
           metric report it (report); that no answer comes (no_answer); or that, and that calls are throttled \
           (throttled). What is out of reach of one replica is so of the others, as a rule, and without any of them \
           callers are not even told why. A replica that gets no calls counts as ready again after pace.forget.",
};

impl Readiness {
    pub(super) fn read(values: &Values) -> Option<Self> {
        Some(Self {
            aws: values.get(&AWS)?,
        })
    }
}

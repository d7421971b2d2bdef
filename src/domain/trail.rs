use std::sync::{Arc, Mutex, PoisonError};

/// What was decided of one caller's call, for its audit. Clones are the same trail.
#[derive(Clone, Debug, Default)]
pub struct Trail(Arc<Mutex<Trodden>>);

#[derive(Debug, Default)]
struct Trodden {
    decision: Option<Decision>,
    hidden: u64,
}

/// A decision about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The operation's name.
    pub action: &'static str,
    /// The gateway's ARN, or `ACCOUNT/REGION`.
    pub resource: String,
    /// Whether it was allowed.
    pub is_allowed: bool,
    /// The names of the policies that decided.
    pub policies: Arc<[String]>,
}

impl Trail {
    /// This was decided. Of a list each page is decided; the last one stands.
    pub fn decided(&self, decision: Decision) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).decision = Some(decision);
    }

    /// So many tapes of a page were not shown.
    pub fn hid(&self, tapes: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hidden += tapes;
    }

    /// What was decided, if it came to that.
    pub fn decision(&self) -> Option<Decision> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .decision
            .clone()
    }

    /// How many tapes were not shown.
    pub fn hidden(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hidden
    }
}

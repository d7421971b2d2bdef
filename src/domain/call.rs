use std::sync::Arc;

use super::{Caller, Deadline, Progress};

/// A call on its way out: an operation, and what holds for this call of it.
#[derive(Clone, Debug)]
pub struct Call<O> {
    /// Whom it is made for.
    pub caller: Caller,
    /// What is asked for.
    pub operation: O,
    /// When the call must have ended.
    pub deadline: Deadline,
    /// Whether the answer has to be asked for now: such a read shares nobody else's.
    pub fresh: bool,
    /// Whether the caller's library says that it sent the call before.
    pub resent: bool,
    /// What has been done for the call so far, as all who handle it see it.
    pub progress: Progress,
}

/// That a call may go on, by whoever decides it. Without one nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The names of the policies that allowed it; none where nobody has to be asked.
    pub policies: Arc<[String]>,
}

/// What came back from the upstream.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What the operation answers.
    pub output: T,
    /// What it took.
    pub attempts: Attempts,
}

/// What a call cost upstream so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many requests were sent, or may have been.
    pub count: u32,
    /// The AWS request id of the last one that was answered.
    pub request_id: Option<Box<str>>,
}

impl<O> Call<O> {
    /// A call that has until `deadline`, and to which nothing has happened yet.
    pub fn new(caller: Caller, operation: O, deadline: Deadline) -> Self {
        Self {
            caller,
            operation,
            deadline,
            fresh: false,
            resent: false,
            progress: Progress::default(),
        }
    }

    /// The same, with an answer that has to be asked for now.
    #[must_use]
    pub fn fresh(self, fresh: bool) -> Self {
        Self { fresh, ..self }
    }

    /// The same, which need not be decided: it is part of one that was.
    #[must_use]
    pub fn granted(self, grant: Option<Grant>) -> Self {
        if let Some(grant) = grant {
            self.progress.grant(grant);
        }
        self
    }

    /// The same, which its caller's library may have sent before: what came of that is unclear.
    #[must_use]
    pub fn resent(self, resent: bool) -> Self {
        if resent {
            self.progress.was_sent_before();
        }
        Self { resent, ..self }
    }
}

impl Attempts {
    /// One attempt, answered under this request id. Callers are told of the id in headers,
    /// so what is not 1–128 visible ASCII characters is not taken for one.
    pub fn one(request_id: Option<&str>) -> Self {
        let usable = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        Self {
            count: 1,
            request_id: request_id.filter(usable).map(Box::from),
        }
    }

    /// These, and then `later` ones.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            count: self.count + later.count,
            request_id: later.request_id.or(self.request_id),
        }
    }
}

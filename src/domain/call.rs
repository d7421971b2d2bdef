use tokio::time::Instant;

/// A call on its way out: an operation, and what holds for this call of it.
#[derive(Clone, Debug)]
pub struct Call<O> {
    /// What is asked for.
    pub operation: O,
    /// When the caller must have an answer; `None` leaves the bounds of the service.
    pub deadline: Option<Instant>,
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
    pub request_id: Option<String>,
}

impl Attempts {
    /// These, and then `later` ones.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            count: self.count + later.count,
            request_id: later.request_id.or(self.request_id),
        }
    }
}

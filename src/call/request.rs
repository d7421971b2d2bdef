use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{CallContext, Caller, Deadline, LiveAttempts};
use crate::domain::{Attempts, Failure, Fault, Outcome};

/// An operation to be sent upstream, with what holds for this call of it.
#[derive(Clone, Debug)]
pub struct Call<O> {
    /// The gRPC call that it is part of.
    pub context: Arc<CallContext>,
    /// The caller that it is made for.
    pub caller: Caller,
    /// The operation and its arguments.
    pub operation: O,
    /// When it must have ended.
    pub deadline: Deadline,
    /// Whether the answer must be asked for now: such a read is not coalesced.
    pub fresh: bool,
    /// Whether the caller's library says that it sent the call before
    /// (`grpc-previous-rpc-attempts`).
    pub resent: bool,
    /// The attempt that is about to be made.
    pub attempt: NextAttempt,
    /// What its attempts have come to so far.
    pub live: LiveAttempts,
}

/// What is known of an attempt before it is made.
#[derive(Clone, Debug, Default)]
pub struct NextAttempt {
    /// How many attempts of the call were sent before.
    pub earlier: u32,
    /// Why the previous attempt failed; `None` for the first one.
    pub after: Option<Box<Fault>>,
    /// How long the call paused before this attempt; `None` for the first one.
    pub pause: Option<Duration>,
}

/// A successful result.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What the operation returns.
    pub output: T,
    /// The attempts that it took.
    pub attempts: Attempts,
}

impl<O> Call<O> {
    /// A call that ends at `deadline`, and of which no attempt was made.
    pub fn new(context: &Arc<CallContext>, caller: Caller, operation: O, deadline: Instant) -> Self {
        Self {
            context: context.clone(),
            caller,
            operation,
            deadline: Deadline::At(deadline),
            fresh: false,
            resent: false,
            attempt: NextAttempt::default(),
            live: LiveAttempts::default(),
        }
    }

    /// The same call, whose answer must be asked for now if `fresh`.
    #[must_use]
    pub fn fresh(self, fresh: bool) -> Self {
        Self { fresh, ..self }
    }

    /// The same call; if `resent`, its caller's library may have sent it before, with an
    /// unknown outcome.
    #[must_use]
    pub fn resent(self, resent: bool) -> Self {
        Self {
            resent,
            live: LiveAttempts::of(resent),
            ..self
        }
    }

    /// The failure of this call by a fault that kept it from being sent.
    pub fn not_sent(&self, fault: Fault) -> Failure {
        Failure {
            outcome: match self.resent {
                true => Outcome::Unknown,
                false => Outcome::NotApplied,
            },
            ..fault.after(Attempts::default())
        }
    }
}

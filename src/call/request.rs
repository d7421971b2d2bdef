use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{CallContext, Caller, Deadline, LiveAttempts};
use crate::domain::{Attempts, Failure, Fault, Outcome};

/// An operation to be sent to AWS, with the caller and the deadline of this call.
#[derive(Clone, Debug)]
pub struct Call<O> {
    /// The gRPC call that it is part of.
    pub context: Arc<CallContext>,
    /// The caller on whose behalf it is made.
    pub caller: Caller,
    /// The operation and its arguments.
    pub operation: O,
    /// When it must have ended.
    pub deadline: Deadline,
    /// Whether the caller asks for a fresh response (`cache-control: no-cache`). Such a read is not
    /// coalesced.
    pub fresh: bool,
    /// Whether the caller's library has sent the call before (`grpc-previous-rpc-attempts`).
    pub resent: bool,
    /// The attempt that is about to be made.
    pub attempt: NextAttempt,
    /// Its attempts so far.
    pub live: LiveAttempts,
}

/// What is known of an attempt before it begins.
#[derive(Clone, Debug, Default)]
pub struct NextAttempt {
    /// The number of attempts of the call that were made before.
    pub earlier: u32,
    /// Why the previous attempt failed; `None` for the first one.
    pub after: Option<Box<Fault>>,
    /// How long the call paused before this attempt; `None` for the first one.
    pub pause: Option<Duration>,
}

impl<O> Call<O> {
    /// A call that ends at `deadline`.
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

    /// Sets whether the caller asks for a fresh response.
    #[must_use]
    pub fn fresh(self, fresh: bool) -> Self {
        Self { fresh, ..self }
    }

    /// Sets whether the caller's library may have sent the call before, with an unknown outcome.
    #[must_use]
    pub fn resent(self, resent: bool) -> Self {
        Self {
            resent,
            live: LiveAttempts::new(resent),
            ..self
        }
    }

    /// The failure of this call by a fault before its first attempt.
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

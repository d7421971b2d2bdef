use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Caller, LiveAttempts};
use crate::domain::{Attempts, Failure};

/// What is known of one gRPC call, from its first header to its last trailer.
///
/// The layers and the service add what they learn. The observer reads it when the call has
/// ended, the admin page while it runs, and the layer that writes trailers puts the attempts
/// into them.
#[derive(Debug)]
pub struct CallContext {
    method: Box<str>,
    request_id: Box<str>,
    trace_id: Option<Box<str>>,
    peer: Option<IpAddr>,
    began: Instant,
    address: OnceLock<IpAddr>,
    caller: OnceLock<Caller>,
    deadline: OnceLock<CallDeadline>,
    facts: Mutex<CallFacts>,
}

/// When a call must have ended.
#[derive(Clone, Copy, Debug)]
pub struct CallDeadline {
    /// When this service ends it.
    pub ours: Instant,
    /// When the caller's `grpc-timeout` ends; the same as `ours` without one.
    pub callers: Instant,
}

/// What the handling of a call adds to its context.
#[derive(Clone, Debug, Default)]
pub struct CallFacts {
    /// The last authorization decision; a list has one for each page.
    pub decision: Option<Arc<Decision>>,
    /// How many tapes were not shown.
    pub hidden_tapes: u64,
    /// The attempts of all its steps; `None` if it never reached the upstream stack.
    pub attempts: Option<Attempts>,
    /// Why it failed upstream, for operators.
    pub fault: Option<String>,
    /// Whether it was passed to the upstream stack, which then ends it in time.
    pub is_dispatched: bool,
    /// Whether it panicked.
    pub panicked: bool,
    /// The attempts of its present step: a list has one for each page.
    step: LiveAttempts,
}

/// An authorization decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The operation's name.
    pub action: &'static str,
    /// The gateway's ARN, or `ACCOUNT/REGION`.
    pub resource: String,
    /// Whether the operation is allowed.
    pub is_allowed: bool,
    /// The names of the policies that decided.
    pub policies: Arc<[String]>,
}

impl CallContext {
    /// A call of `method` that begins now.
    pub fn new(method: &str, request_id: &str, trace_id: Option<&str>, peer: Option<IpAddr>) -> Self {
        Self {
            method: method.into(),
            request_id: request_id.into(),
            trace_id: trace_id.map(Into::into),
            peer,
            began: Instant::now(),
            address: OnceLock::new(),
            caller: OnceLock::new(),
            deadline: OnceLock::new(),
            facts: Mutex::default(),
        }
    }

    /// The method's path without its first slash, cut to a length that can be logged.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The call's request id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The call's trace id, as 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    /// The address of the connection's other end.
    pub fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// How long ago the call began.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// The client's address, once it is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.address.get().copied()
    }

    /// Sets the client's address. The first one stays.
    pub fn set_address(&self, address: IpAddr) {
        self.address.get_or_init(|| address);
    }

    /// The caller, once it is authenticated.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.get()
    }

    /// Sets the authenticated caller. The first one stays.
    pub fn set_caller(&self, caller: Caller) {
        self.caller.get_or_init(|| caller);
    }

    /// The call's deadline, once it is known and if it has one.
    pub fn deadline(&self) -> Option<CallDeadline> {
        self.deadline.get().copied()
    }

    /// Sets the call's deadline. The first one stays.
    pub fn set_deadline(&self, deadline: CallDeadline) {
        self.deadline.get_or_init(|| deadline);
    }

    /// Adds an authorization decision, which takes the place of the one before.
    pub fn decided(&self, decision: Arc<Decision>) {
        self.lock().decision = Some(decision);
    }

    /// Adds tapes of a page that are not shown.
    pub fn hide(&self, tapes: u64) {
        self.lock().hidden_tapes += tapes;
    }

    /// The call is passed to the upstream stack.
    pub fn dispatch(&self) {
        self.lock().is_dispatched = true;
    }

    /// The call is at the step that makes these attempts.
    pub fn enter_step(&self, attempts: &LiveAttempts) {
        self.lock().step = attempts.clone();
    }

    /// How many attempts its present step has made.
    pub fn attempts_of_step(&self) -> u32 {
        let step = self.lock().step.clone();
        step.attempts().count
    }

    /// Adds the attempts of a step that has ended.
    pub fn add_attempts(&self, attempts: &Attempts) {
        self.lock().attempts.get_or_insert_default().add(attempts);
    }

    /// Adds the failure that ended the call. What comes back has the attempts of all steps.
    #[must_use]
    pub fn fail(&self, failure: Failure) -> Failure {
        let mut facts = self.lock();
        facts.fault = Some(failure.fault.to_string());
        let total = facts.attempts.get_or_insert_default();
        total.add(&failure.attempts);
        Failure {
            attempts: total.clone(),
            ..failure
        }
    }

    /// The call panicked.
    pub fn panicked(&self) {
        self.lock().panicked = true;
    }

    /// Everything that was added so far.
    pub fn facts(&self) -> CallFacts {
        self.lock().clone()
    }

    /// What `read` reads of it.
    pub fn read<T>(&self, read: impl FnOnce(&CallFacts) -> T) -> T {
        read(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, CallFacts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

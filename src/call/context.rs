use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::LiveAttempts;
use crate::domain::{Attempts, Failure, Fault, Outcome, Principal, Scope};

/// What is known of one gRPC call, from its first header to its last trailer.
///
/// The layers and the service add what they learn. The admin page reads it while the call runs,
/// the layer that writes trailers takes the attempts from it, and the observer reads it when the
/// call has ended.
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

/// The deadlines of a call.
#[derive(Clone, Copy, Debug)]
pub struct CallDeadline {
    /// When this service ends the call.
    pub ours: Instant,
    /// When the caller's `grpc-timeout` ends. The same as `ours` if there is none, or if the settings
    /// end the call earlier.
    pub callers: Instant,
}

/// The principal that makes a call, and the address of its client.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The authenticated principal.
    pub principal: Arc<Principal>,
    /// The address of the client; behind trusted proxies, the one that they forward.
    pub address: IpAddr,
}

impl Caller {
    /// A caller with this principal and this address.
    pub fn new(principal: impl Into<Arc<Principal>>, address: IpAddr) -> Self {
        Self {
            principal: principal.into(),
            address,
        }
    }
}

/// What the handling of a call adds to its context.
#[derive(Clone, Debug, Default)]
pub struct CallFacts {
    /// The last authorization decision; a list has one for each page.
    pub decision: Option<Arc<AuthorizationDecision>>,
    /// The number of tapes that policies hide from the caller.
    pub hidden_tapes: u64,
    /// The attempts of all steps that have ended. `None` until a step ends or the call fails, and
    /// for a call that was never dispatched. A step that is denied adds 0.
    pub attempts: Option<Attempts>,
    /// Why the call failed upstream, for operators.
    pub fault: Option<String>,
    /// Where the call goes. `None` until the request is found to be valid, so that its handling goes on
    /// to authorization and then to the upstream stack, which ends the call at its deadline.
    pub scope: Option<Scope>,
    /// What a create asks for, as an operator looks it up: its barcode, or its prefix and client token.
    pub asked: Option<String>,
    /// How the call has ended, if it is a create: `Ok` if AWS created the tapes.
    result: Option<Result<(), Outcome>>,
    /// Whether the call panicked.
    pub panicked: bool,
    /// Why the service cuts the call, if it does.
    pub cut: Option<CallCut>,
    /// Whether the stream of the request ended before the request was complete.
    pub is_request_broken: bool,
    /// The attempts of the step in progress, if one is; a list has one step for each page.
    step: Option<LiveAttempts>,
    /// The attempts of that step's look-ups.
    look_ups: Vec<LiveAttempts>,
}

impl CallFacts {
    /// The attempts of all steps, the one in progress included.
    pub fn attempts_so_far(&self) -> Option<Attempts> {
        let mut total = self.attempts.clone();
        for step in self.step.iter().chain(&self.look_ups) {
            total.get_or_insert_default().add(&step.attempts());
        }
        total
    }

    fn end_step(&mut self) {
        self.step = None;
        self.look_ups.clear();
    }

    /// The outcome of a create that ends now: `Ok` if AWS created the tapes. A request that is not sent
    /// yet is withdrawn.
    pub fn end_create(&self) -> Result<(), Outcome> {
        match (self.result, &self.step) {
            (Some(result), _) => result,
            (None, Some(step)) => Err(step.abandon()),
            (None, None) => Err(Outcome::NotApplied),
        }
    }
}

/// Why the service cuts a call that could go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallCut {
    /// The service shuts down, and `shutdown.drain_timeout` has passed.
    Shutdown,
    /// The service closes the connection of the call, because it is too old or its place is needed.
    Connection,
}

impl CallCut {
    /// The fault that ends the call.
    pub fn fault(self) -> Fault {
        match self {
            Self::Shutdown => Fault::ShuttingDown,
            Self::Connection => Fault::ConnectionClosed,
        }
    }
}

/// An authorization decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationDecision {
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
    /// The context of a call of `method` that begins now.
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

    /// The path of the method, truncated for the log.
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

    /// The address of the other end of the connection: the client or a proxy.
    pub fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// How long ago the call began.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// The address of the client, once it is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.address.get().copied()
    }

    /// Sets the address of the client. Later calls have no effect.
    pub fn set_address(&self, address: IpAddr) {
        self.address.get_or_init(|| address);
    }

    /// Records why the service rejects or ends the call because of a limit.
    pub fn reject(&self, why: &str) {
        self.lock().fault = Some(why.to_owned());
    }

    /// The caller, once it is authenticated.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.get()
    }

    /// Sets the authenticated caller. Later calls have no effect.
    pub fn set_caller(&self, caller: Caller) {
        self.caller.get_or_init(|| caller);
    }

    /// The deadline, once it is known and if there is one.
    pub fn deadline(&self) -> Option<CallDeadline> {
        self.deadline.get().copied()
    }

    /// Sets the deadline. Later calls have no effect.
    pub fn set_deadline(&self, deadline: CallDeadline) {
        self.deadline.get_or_init(|| deadline);
    }

    /// Sets the authorization decision, which replaces an earlier one.
    pub fn record_decision(&self, decision: Arc<AuthorizationDecision>) {
        self.lock().decision = Some(decision);
    }

    /// Adds tapes of a page that policies hide.
    pub fn add_hidden_tapes(&self, tapes: u64) {
        self.lock().hidden_tapes += tapes;
    }

    /// Records that the request is valid, where the call goes, and that authorization and the upstream
    /// stack follow. `asked` is what a create asks for, and empty for a list.
    pub fn dispatch(&self, scope: Scope, asked: String) {
        let mut facts = self.lock();
        facts.scope = Some(scope);
        facts.asked = Some(asked).filter(|asked| !asked.is_empty());
    }

    /// Records how a create has ended.
    pub fn record_create(&self, result: Result<(), Outcome>) {
        self.lock().result = Some(result);
    }

    /// Begins the step that makes these attempts.
    pub fn enter_step(&self, attempts: &LiveAttempts) {
        self.lock().step = Some(attempts.clone());
    }

    /// Adds a look-up, which makes these attempts, to the step in progress.
    pub fn enter_look_up(&self, attempts: &LiveAttempts) {
        self.lock().look_ups.push(attempts.clone());
    }

    /// The number of attempts of the step in progress; 0 if none is.
    pub fn attempts_of_step(&self) -> u32 {
        let step = self.lock().step.clone();
        step.map_or(0, |step| step.attempts().made)
    }

    /// Adds the attempts of a step that has ended.
    pub fn add_attempts(&self, attempts: &Attempts) {
        let mut facts = self.lock();
        facts.end_step();
        facts.attempts.get_or_insert_default().add(attempts);
    }

    /// Adds the failure that ends the call, and returns it with the attempts of all steps.
    #[must_use]
    pub fn fail(&self, failure: Failure) -> Failure {
        let mut facts = self.lock();
        facts.end_step();
        facts.fault = Some(failure.fault.to_string());
        let total = facts.attempts.get_or_insert_default();
        total.add(&failure.attempts);
        Failure {
            attempts: total.clone(),
            ..failure
        }
    }

    /// Records that the service cuts the call, and returns the attempts so far, and the outcome if the call
    /// is a create. It is unknown also for a create that has ended, because its response may be lost.
    pub fn cut(&self, cut: CallCut) -> (Attempts, Outcome) {
        let mut facts = self.lock();
        // First: a request that is withdrawn is no attempt.
        let result = facts.end_create();
        facts.result = Some(result);
        facts.attempts = facts.attempts_so_far();
        facts.end_step();
        facts.cut = Some(cut);
        facts.fault = Some(cut.fault().to_string());
        (
            facts.attempts.clone().unwrap_or_default(),
            result.err().unwrap_or(Outcome::Unknown),
        )
    }

    /// Records that the stream of the request ended before the request was complete.
    pub fn record_broken_request(&self) {
        self.lock().is_request_broken = true;
    }

    /// Records that the call panicked.
    pub fn record_panic(&self) {
        self.lock().panicked = true;
    }

    /// A copy of everything that was added so far.
    pub fn facts(&self) -> CallFacts {
        self.lock().clone()
    }

    /// Reads from what was added so far, without a copy.
    pub fn read<T>(&self, read: impl FnOnce(&CallFacts) -> T) -> T {
        read(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, CallFacts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;
    use crate::call::{Answer, AttemptHistory};

    fn context() -> CallContext {
        CallContext::new("/method", "id", None, None)
    }

    fn count(context: &CallContext) -> Option<u32> {
        context.facts().attempts_so_far().map(|attempts| attempts.count)
    }

    #[test]
    fn the_attempt_in_flight_counts() {
        let context = context();
        assert_eq!(count(&context), None);
        let step = LiveAttempts::new(false);
        context.enter_step(&step);
        step.begin();
        assert_eq!(count(&context), Some(1));
        context.add_attempts(&Attempts::one(None));
        let next = LiveAttempts::new(false);
        context.enter_step(&next);
        next.begin();
        assert_eq!(count(&context), Some(2));
    }

    #[test]
    fn a_create_that_is_given_up_is_unknown_only_if_an_attempt_may_have_made_tapes() {
        let outcome = |context: &CallContext| context.facts().end_create().unwrap_err();
        let context = context();
        assert_eq!(outcome(&context), Outcome::NotApplied, "never dispatched");
        let scope = Scope {
            region: "us-east-1".parse().unwrap(),
            account: None,
        };
        context.dispatch(scope, String::new());
        let step = LiveAttempts::new(false);
        context.enter_step(&step);
        assert_eq!(outcome(&context), Outcome::NotApplied, "no attempt");
        let transmission = step.prepare();
        assert_eq!(count(&context), Some(0));
        assert_eq!(outcome(&context), Outcome::NotApplied, "not sent");
        assert!(!transmission.begin(), "sent after the caller has gone");
        step.begin();
        assert_eq!(outcome(&context), Outcome::Unknown, "in flight");
        let mut history = AttemptHistory::new(false);
        let refused = Fault::Denied {
            action: "CreateTapes",
            resource: "of the test".to_owned(),
        };
        history.add::<()>(&Err::<Answer<()>, _>(refused.after(Attempts::one(None))));
        step.record_failure(&history);
        assert_eq!(outcome(&context), Outcome::NotApplied, "between attempts");
        context.record_create(Ok(()));
        context.add_attempts(&Attempts::one(None));
        assert_eq!(context.facts().end_create(), Ok(()), "the response was not read");
        assert_eq!(
            context.cut(CallCut::Shutdown),
            (Attempts::one(None), Outcome::Unknown)
        );
        assert_eq!(context.facts().end_create(), Ok(()), "the response was cut");
    }
}

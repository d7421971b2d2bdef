//! Calls in progress, and the last failed calls, for the admin page.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

/// Registry of the calls in progress, and of the last failures that concern operators.
#[derive(Debug, Default)]
pub struct CallRegistry(Mutex<Registered>);

#[derive(Debug, Default)]
struct Registered {
    begun: u64,
    in_progress: BTreeMap<u64, Begun>,
    /// By code, newest first: frequent failures of one code do not displace those of others.
    failed: HashMap<&'static str, VecDeque<FailedCall>>,
}

/// How many failed calls of each code are kept.
pub const MAX_FAILED: usize = 10;

/// Maximum length of [`FailedCall::fault`] in bytes: it can contain text from AWS.
const MAX_FAULT: usize = 500;

/// What is known of a call while it is in progress.
pub trait CallFacts: fmt::Debug + Send + Sync {
    /// The principal's name; `None` before authentication.
    fn caller(&self) -> Option<String>;

    /// The number of the current attempt of the current step; 0 before anything is sent.
    fn attempt(&self) -> u32;

    /// When the call must have ended; `None` before that is known.
    fn deadline(&self) -> Option<Instant>;
}

#[derive(Clone, Debug)]
struct Begun {
    method: String,
    request_id: String,
    at: Instant,
    facts: Arc<dyn CallFacts>,
}

/// A call in progress.
#[derive(Clone, Debug)]
pub struct CallInProgress {
    /// Its method.
    pub method: String,
    /// Its request id.
    pub request_id: String,
    /// The principal's name; `None` before authentication.
    pub caller: Option<String>,
    /// How long ago it began.
    pub age: Duration,
    /// The number of the current attempt of the current step; 0 before anything is sent.
    pub attempt: u32,
    /// The time until its deadline; `None` before that is known.
    pub left: Option<Duration>,
}

/// How a call failed.
#[derive(Clone, Debug)]
pub struct CallFailure {
    /// The name of its gRPC code.
    pub code: &'static str,
    /// How many requests were sent to AWS.
    pub attempts: u32,
    /// The AWS request id of the last answered attempt.
    pub aws_request_id: Option<String>,
    /// The cause, for operators.
    pub fault: Option<String>,
}

/// A failed call.
#[derive(Clone, Debug)]
pub struct FailedCall {
    /// When it ended.
    pub at: Timestamp,
    /// Its method.
    pub method: String,
    /// Its request id.
    pub request_id: String,
    /// The principal's name; `None` without authentication.
    pub caller: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// How it failed.
    pub failure: CallFailure,
}

/// Keeps a call in its [`CallRegistry`] until it is dropped.
#[derive(Debug)]
pub struct RegisteredCall {
    registry: Arc<CallRegistry>,
    number: u64,
}

impl CallRegistry {
    /// Registers a call that has begun.
    pub fn begin(
        self: &Arc<Self>,
        method: &str,
        request_id: &str,
        facts: Arc<dyn CallFacts>,
    ) -> RegisteredCall {
        let begun = Begun {
            method: method.to_owned(),
            request_id: request_id.to_owned(),
            at: Instant::now(),
            facts,
        };
        let mut registered = self.registered();
        registered.begun += 1;
        let number = registered.begun;
        registered.in_progress.insert(number, begun);
        drop(registered);
        RegisteredCall {
            registry: self.clone(),
            number,
        }
    }

    /// The calls in progress, oldest first.
    pub fn in_progress(&self) -> Vec<CallInProgress> {
        let begun: Vec<_> = self.registered().in_progress.values().cloned().collect();
        begun.iter().map(Begun::in_progress).collect()
    }

    /// The last failed calls, newest first.
    pub fn failed(&self) -> Vec<FailedCall> {
        let mut failed: Vec<_> = self.registered().failed.values().flatten().cloned().collect();
        failed.sort_by_key(|call| Reverse(call.at));
        failed
    }

    fn registered(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RegisteredCall {
    /// Records that the call has failed.
    pub fn failed(&self, mut failure: CallFailure) {
        let mut registered = self.registry.registered();
        let Some(begun) = registered.in_progress.get(&self.number).cloned() else {
            return;
        };
        if let Some(fault) = &mut failure.fault {
            fault.truncate(fault.floor_char_boundary(MAX_FAULT));
        }
        let same_code = registered.failed.entry(failure.code).or_default();
        same_code.truncate(MAX_FAILED - 1);
        same_code.push_front(FailedCall {
            at: Timestamp::now(),
            caller: begun.facts.caller(),
            method: begun.method,
            request_id: begun.request_id,
            took: begun.at.elapsed(),
            failure,
        });
    }
}

impl Drop for RegisteredCall {
    fn drop(&mut self) {
        self.registry.registered().in_progress.remove(&self.number);
    }
}

impl Begun {
    fn in_progress(&self) -> CallInProgress {
        CallInProgress {
            method: self.method.clone(),
            request_id: self.request_id.clone(),
            caller: self.facts.caller(),
            age: self.at.elapsed(),
            attempt: self.facts.attempt(),
            left: self
                .facts
                .deadline()
                .map(|deadline| deadline.saturating_duration_since(Instant::now())),
        }
    }
}

//! Calls in progress, and the last failed calls, for the admin page.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::call::CallContext;

/// Registry of the calls in progress, and of the last failures that concern operators.
#[derive(Debug, Default)]
pub struct CallRegistry(Mutex<Registered>);

#[derive(Debug, Default)]
struct Registered {
    begun: u64,
    in_progress: BTreeMap<u64, Arc<CallContext>>,
    /// By code, newest first: frequent failures of one code do not displace those of others.
    failed: HashMap<&'static str, VecDeque<FailedCall>>,
}

/// How many failed calls of each code are kept.
pub const MAX_FAILED: usize = 10;

/// Maximum length of [`FailedCall::fault`] in bytes: it can contain text from AWS.
const MAX_FAULT: usize = 500;

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
    pub fn begin(self: &Arc<Self>, context: &Arc<CallContext>) -> RegisteredCall {
        let mut registered = self.registered();
        registered.begun += 1;
        let number = registered.begun;
        registered.in_progress.insert(number, context.clone());
        drop(registered);
        RegisteredCall {
            registry: self.clone(),
            number,
        }
    }

    /// The calls in progress, oldest first.
    pub fn in_progress(&self) -> Vec<CallInProgress> {
        let contexts: Vec<_> = self.registered().in_progress.values().cloned().collect();
        contexts.iter().map(|context| in_progress(context)).collect()
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
        let Some(context) = registered.in_progress.get(&self.number).cloned() else {
            return;
        };
        if let Some(fault) = &mut failure.fault {
            fault.truncate(fault.floor_char_boundary(MAX_FAULT));
        }
        let same_code = registered.failed.entry(failure.code).or_default();
        same_code.truncate(MAX_FAILED - 1);
        same_code.push_front(FailedCall {
            at: Timestamp::now(),
            caller: name_of_caller(&context),
            method: context.method().to_owned(),
            request_id: context.request_id().to_owned(),
            took: context.age(),
            failure,
        });
    }
}

impl Drop for RegisteredCall {
    fn drop(&mut self) {
        self.registry.registered().in_progress.remove(&self.number);
    }
}

fn in_progress(context: &CallContext) -> CallInProgress {
    CallInProgress {
        method: context.method().to_owned(),
        request_id: context.request_id().to_owned(),
        caller: name_of_caller(context),
        age: context.age(),
        attempt: context.attempts_of_step(),
        left: context
            .deadline()
            .map(|deadline| deadline.ours.saturating_duration_since(Instant::now())),
    }
}

fn name_of_caller(context: &CallContext) -> Option<String> {
    context.caller().map(|caller| caller.principal.name().to_owned())
}

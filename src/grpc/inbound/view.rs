use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;
use tonic::Code;

use crate::call::CallContext;

/// What operators are shown of calls: those in progress, and the last that failed in a way that
/// concerns them.
#[derive(Debug, Default)]
pub struct View(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    began: u64,
    in_progress: BTreeMap<u64, Arc<CallContext>>,
    /// By their codes, the last one first: many of one kind leave room for the others.
    failed: HashMap<Code, VecDeque<Failed>>,
}

/// How many failed calls of each code are kept.
pub const MAX_FAILED: usize = 10;

/// How much is kept of why one failed, in bytes: it can have AWS's words in it.
const MAX_FAULT: usize = 500;

/// A call in progress.
#[derive(Clone, Debug)]
pub struct InProgress {
    /// Its method.
    pub method: String,
    /// Its request id.
    pub request_id: String,
    /// Who makes it; `None` before that is known.
    pub caller: Option<String>,
    /// How long ago it began.
    pub age: Duration,
    /// Which attempt its present step is at; 0 before anything is sent.
    pub attempt: u32,
    /// How long it may take still; `None` before that is known.
    pub left: Option<Duration>,
}

/// A call that failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// When it ended.
    pub at: Timestamp,
    /// Its method.
    pub method: String,
    /// Its request id.
    pub request_id: String,
    /// Who made it, where that was known.
    pub caller: Option<String>,
    /// Its code.
    pub code: Code,
    /// How long it took.
    pub took: Duration,
    /// How many requests were sent for it.
    pub attempts: u32,
    /// The AWS request id of the last one that was answered.
    pub aws_request_id: Option<String>,
    /// Why it failed, in the operator's words.
    pub fault: Option<String>,
}

/// A call that is in view until this is dropped.
#[derive(Debug)]
pub(super) struct InView {
    view: Arc<View>,
    number: u64,
}

impl View {
    /// A call has begun.
    pub(super) fn begin(self: &Arc<Self>, context: &Arc<CallContext>) -> InView {
        let mut kept = self.kept();
        kept.began += 1;
        let number = kept.began;
        kept.in_progress.insert(number, context.clone());
        drop(kept);
        InView {
            view: self.clone(),
            number,
        }
    }

    /// The calls in progress, the oldest first.
    pub fn in_progress(&self) -> Vec<InProgress> {
        let begun: Vec<_> = self.kept().in_progress.values().cloned().collect();
        begun.iter().map(|context| shown(context)).collect()
    }

    /// The last calls that failed, the last one first.
    pub fn failed(&self) -> Vec<Failed> {
        let mut failed: Vec<_> = self.kept().failed.values().flatten().cloned().collect();
        failed.sort_by_key(|call| Reverse(call.at));
        failed
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InView {
    /// The call has failed, with this code.
    pub(super) fn failed(&self, code: Code) {
        let mut kept = self.view.kept();
        let Some(context) = kept.in_progress.get(&self.number).cloned() else {
            return;
        };
        let facts = context.facts();
        let attempts = facts.attempts.unwrap_or_default();
        let alike = kept.failed.entry(code).or_default();
        alike.truncate(MAX_FAILED - 1);
        alike.push_front(Failed {
            at: Timestamp::now(),
            caller: name_of_caller(&context),
            method: context.method().to_owned(),
            request_id: context.request_id().to_owned(),
            code,
            took: context.age(),
            attempts: attempts.count,
            aws_request_id: attempts.request_id.map(String::from),
            fault: facts
                .fault
                .map(|fault| fault[..fault.floor_char_boundary(MAX_FAULT)].to_owned()),
        });
    }
}

impl Drop for InView {
    fn drop(&mut self) {
        self.view.kept().in_progress.remove(&self.number);
    }
}

fn shown(context: &CallContext) -> InProgress {
    InProgress {
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

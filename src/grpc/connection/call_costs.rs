use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;

/// How many control frames a call costs that the service does not admit, because it was rejected or is not
/// about tapes.
pub(super) const CALL: i64 = 50;

/// How many control frames a question to the reflection service costs.
const QUESTION: i64 = 10;

/// What the calls of a connection take of its allowance of control frames, beside what they cost when they begin.
///
/// The service rejects a call much faster than AWS answers one, so a client that ignores rejections can
/// cause as much work as the processors can do.
#[derive(Clone, Debug, Default)]
pub struct CallCosts(Arc<Changes>);

#[derive(Debug, Default)]
struct Changes {
    frames: AtomicI64,
    /// Of the connection, which may read on if something is given back.
    waker: AtomicWaker,
}

impl CallCosts {
    /// A question was answered on a stream of them.
    pub(in crate::grpc) fn add_question(&self) {
        self.add(QUESTION);
    }

    /// A call ended by an error of its client.
    pub(super) fn add_error(&self) {
        self.add(CALL);
    }

    /// The control frames that have not been taken yet; below 0 if more were given back. `waker` is woken when
    /// there are others.
    pub(super) fn take(&self, waker: &Waker) -> i64 {
        self.0.waker.register(waker);
        self.0.frames.swap(0, Ordering::Relaxed)
    }

    fn add(&self, frames: i64) {
        self.0.frames.fetch_add(frames, Ordering::Relaxed);
        if frames < 0 {
            self.0.waker.wake();
        }
    }
}

/// What one call costs. It was paid when the call began, because a client that does not wait for its calls
/// would pay too late.
#[derive(Clone, Debug)]
pub struct CallCost {
    costs: CallCosts,
    is_paid: Arc<AtomicBool>,
}

impl CallCost {
    /// That of a new call.
    pub(super) fn new(costs: CallCosts) -> Self {
        Self {
            costs,
            is_paid: Arc::new(AtomicBool::new(true)),
        }
    }

    /// The service admits the call, or cannot for reasons of its own.
    pub(in crate::grpc) fn give_back(&self) {
        if self.is_paid.swap(false, Ordering::Relaxed) {
            self.costs.add(-CALL);
        }
    }

    /// The call was answered without AWS.
    pub(in crate::grpc) fn pay(&self) {
        if !self.is_paid.swap(true, Ordering::Relaxed) {
            self.costs.add(CALL);
        }
    }
}

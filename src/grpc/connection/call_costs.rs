use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// How many control frames a call costs for which AWS is not asked, because it was rejected or is not
/// about tapes.
const CALL: u32 = 50;

/// How many control frames a question to the reflection service costs.
const QUESTION: u32 = 10;

/// What the calls of a connection take of its allowance of control frames.
///
/// The service rejects a call much faster than AWS answers one, so a client that ignores rejections can
/// cause as much work as the processors can do.
#[derive(Clone, Debug, Default)]
pub struct CallCosts(Arc<AtomicU32>);

impl CallCosts {
    /// A call was answered without AWS.
    pub(in crate::grpc) fn add_call(&self) {
        self.0.fetch_add(CALL, Ordering::Relaxed);
    }

    /// A question was answered on a stream of them.
    pub(in crate::grpc) fn add_question(&self) {
        self.0.fetch_add(QUESTION, Ordering::Relaxed);
    }

    /// The control frames that have not been taken yet.
    pub(super) fn take(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

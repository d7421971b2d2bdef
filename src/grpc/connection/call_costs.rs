use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// How many control frames a call costs that fails before AWS is asked.
const FAILURE: u32 = 50;

/// What the calls of a connection take of its allowance of control frames.
///
/// The service rejects a call much faster than AWS answers one, so a client that ignores rejections can
/// cause as much work as the processors can do.
#[derive(Clone, Debug, Default)]
pub struct CallCosts(Arc<AtomicU32>);

impl CallCosts {
    /// A call has failed before AWS was asked.
    pub(in crate::grpc) fn add_failure(&self) {
        self.0.fetch_add(FAILURE, Ordering::Relaxed);
    }

    /// The control frames that have not been taken yet.
    pub(super) fn take(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

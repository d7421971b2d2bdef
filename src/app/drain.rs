//! Ends the calls in progress of a service that stops.

use std::{io, pin::Pin, time::Duration};

use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::grpc::connection::CUT_GRACE;

/// What is in progress, and how it is cut.
#[derive(Clone, Debug, Default)]
pub(super) struct InProgress {
    /// The calls.
    pub(super) calls: TaskTracker,
    /// Creates that were sent to AWS, whose callers may have gone.
    pub(super) sent_creates: TaskTracker,
    /// Ends these creates, so that each is logged.
    pub(super) cut_creates: CancellationToken,
    /// Ends the calls with a status.
    pub(super) cut: CancellationToken,
    /// Closes all connections.
    pub(super) close: CancellationToken,
}

/// Why the service did not stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    /// Calls were still in progress after `shutdown.drain_timeout`.
    #[error(
        "still in progress after shutdown.drain_timeout, and cut: calls {calls}, creates sent to AWS {creates}"
    )]
    InProgress {
        /// Calls whose callers were still waiting.
        calls: usize,
        /// Creates sent to AWS whose outcome is now unknown, with those whose callers were still waiting.
        creates: usize,
    },
    /// Calls were still in progress when a second signal came.
    #[error("still in progress at the second signal, and cut: calls {calls}, creates sent to AWS {creates}")]
    Hastened {
        /// Calls whose callers were still waiting.
        calls: usize,
        /// Creates sent to AWS whose outcome is now unknown, with those whose callers were still waiting.
        creates: usize,
    },
    /// A server failed.
    #[error("a server failed: {0}")]
    Server(#[from] io::Error),
}

impl InProgress {
    /// Waits until the calls and the sent creates have ended, and the connections with them. After
    /// `drain_timeout`, or when `hasten` is cancelled, it cuts what is left.
    ///
    /// `serving` is the server, which has been told to stop; it ends with its last connection.
    ///
    /// # Errors
    ///
    /// [`Cut`]: something was cut.
    pub(super) async fn drain(
        &self,
        mut serving: Pin<&mut impl Future<Output = ()>>,
        drain_timeout: Duration,
        hasten: &CancellationToken,
    ) -> Result<(), Cut> {
        self.calls.close();
        self.sent_creates.close();
        let mut is_serving = true;
        let drained = timeout(drain_timeout, async {
            serving.as_mut().await;
            is_serving = false;
            // A connection can end before the last of its calls has reported its end.
            self.calls.wait().await;
            self.sent_creates.wait().await;
        });
        let is_hastened = match hasten.run_until_cancelled(drained).await {
            Some(Ok(())) => return Ok(()),
            Some(Err(_)) => false,
            None => true,
        };
        let (calls, creates) = (self.calls.len(), self.sent_creates.len());
        self.cut.cancel();
        // A connection closes when its last status was received. A reader that does not read keeps
        // its own open. Without connections, only creates whose callers have gone were left.
        if is_serving {
            let _ = timeout(CUT_GRACE, serving).await;
        }
        self.close.cancel();
        self.cut_creates.cancel();
        // So that every call has its line in the log and its audit record, and every create its line.
        let logged = async { tokio::join!(self.calls.wait(), self.sent_creates.wait()) };
        let _ = timeout(CUT_GRACE, logged).await;
        match (calls, creates) {
            (0, 0) => Ok(()),
            _ if is_hastened => Err(Cut::Hastened { calls, creates }),
            _ => Err(Cut::InProgress { calls, creates }),
        }
    }
}

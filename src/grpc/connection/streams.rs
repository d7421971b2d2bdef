use std::sync::Arc;

use hyper::rt::Executor;

use super::places::Activity;

/// Runs each stream of a connection in a task of its own.
#[derive(Clone, Debug)]
pub(super) struct Streams(pub(super) Arc<Activity>);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let call = self.0.call();
        tokio::spawn(async move {
            stream.await;
            drop(call);
        });
    }
}

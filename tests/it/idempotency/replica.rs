use tapegate::grpc::proto::tape_service_client::TapeServiceClient;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::Channel;

use crate::harness::Service;

/// A service on a runtime of its own, so that it can be killed: all that it does then ends
/// half way, as with its process.
pub struct Replica {
    runtime: Option<Runtime>,
    service: Option<Service>,
    channel: Channel,
}

impl Replica {
    /// Before this endpoint, with these flags.
    pub async fn start(endpoint: &str, flags: &[&str]) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let endpoint = endpoint.to_owned();
        let flags: Vec<String> = flags.iter().copied().map(str::to_owned).collect();
        let service = runtime.spawn(async move {
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            Service::at(&endpoint, &flags).await
        });
        let service = service.await.unwrap();
        Self {
            runtime: Some(runtime),
            channel: service.endpoint().connect_lazy(),
            service: Some(service),
        }
    }

    /// A client, on the caller's own runtime.
    pub fn client(&self) -> TapeServiceClient<Channel> {
        TapeServiceClient::new(self.channel.clone())
    }

    /// A client by a connection of its own.
    pub fn connect(&self) -> TapeServiceClient<Channel> {
        TapeServiceClient::new(self.service.as_ref().unwrap().endpoint().connect_lazy())
    }

    /// Stops it in good order: nothing has to be cut.
    pub async fn stop(mut self) {
        let stopped = self.service.take().unwrap().stop();
        let stopped = self.runtime.as_ref().unwrap().spawn(stopped);
        stopped.await.unwrap().unwrap();
    }

    /// Ends it here and now.
    pub fn kill(mut self) {
        self.end();
    }

    /// How many tasks it has, those that only keep it alive included.
    pub fn tasks(&self) -> usize {
        self.runtime.as_ref().unwrap().metrics().num_alive_tasks()
    }

    fn end(&mut self) {
        // Not before the runtime: it would be told to stop in good order.
        let service = self.service.take();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        drop(service);
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.end();
    }
}

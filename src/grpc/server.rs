//! The gRPC server: the service, health and reflection behind the inbound stack.

use std::{io, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, server::Router};
use tonic_health::pb::health_server::HealthServer;
use tower::layer::util::{Identity, Stack};

use super::{
    codec,
    health::Health,
    inbound::{self, InboundSettings, accept},
    proto::tape_service_server::TapeServiceServer,
    service::Tapes,
};

/// Limits of requests and connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcSettings {
    /// The maximum size of a request message, in bytes (`max_request_bytes`).
    pub max_request_bytes: usize,
    /// The maximum number of concurrent calls on one connection (`max_concurrent_streams`).
    pub max_concurrent_streams: u32,
    /// The maximum age of a connection (`max_connection_age`).
    pub max_connection_age: Duration,
    /// How long a connection may be idle before it is pinged (`keepalive_interval`).
    pub keepalive_interval: Duration,
    /// How long the response to a ping may take (`keepalive_timeout`).
    pub keepalive_timeout: Duration,
}

/// The gRPC server, not yet running.
pub struct GrpcServer(Router<Stack<inbound::Stack, Identity>>);

impl GrpcServer {
    /// A server for these services, behind an inbound stack with these settings.
    pub fn new(settings: &GrpcSettings, inbound: InboundSettings, tapes: Tapes, health: Health) -> Self {
        let tapes = TapeServiceServer::new(tapes).max_decoding_message_size(settings.max_request_bytes);
        let router = Server::builder()
            // tonic sets neither of the first two itself; without them, callers have no limit.
            .max_concurrent_streams(settings.max_concurrent_streams)
            .http2_max_local_error_reset_streams(Some(1024))
            .max_connection_age(settings.max_connection_age)
            .http2_keepalive_interval(Some(settings.keepalive_interval))
            .http2_keepalive_timeout(Some(settings.keepalive_timeout))
            .layer(inbound::stack(inbound))
            .add_service(tapes)
            .add_service(HealthServer::new(health))
            .add_service(reflection().build_v1().expect("the build made the descriptors"))
            .add_service(
                reflection()
                    .build_v1alpha()
                    .expect("the build made the descriptors"),
            );
        Self(router)
    }

    /// Serves the connections of `listener` until `stop` is cancelled and they have ended.
    ///
    /// # Errors
    ///
    /// If the server fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        accept: accept::AcceptSettings,
        connections: Arc<accept::ConnectionMetrics>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let incoming = accept::incoming(listener, accept, connections);
        let served = self
            .0
            .serve_with_incoming_shutdown(incoming, stop.cancelled_owned());
        served.await.map_err(io::Error::other)
    }
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(codec::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // So that grpcurl can show the details of errors.
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
}

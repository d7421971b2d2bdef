//! The gRPC server: the service, health and reflection behind the inbound stack.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::{codec::CompressionEncoding, service::Routes};
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;
use tower::Layer;

use super::{
    connection::{
        accept::{AcceptSettings, Acceptor, ConnectionMetrics},
        listener::Listener,
        serve::{ConnectionSettings, Http2},
    },
    health::Health,
    inbound::{self, InboundSettings},
    proto::tape_service_server::TapeServiceServer,
    reflection::{Reflection, V1Alpha},
    service::Tapes,
    web::GrpcWeb,
};

/// Limits of requests and connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcSettings {
    /// The maximum size of a request message, in bytes (`max_request_bytes`).
    pub max_request_bytes: usize,
    /// Whether responses are compressed for clients that accept it (`compress_responses`).
    pub compress_responses: bool,
    /// The limits of each connection.
    pub connection: ConnectionSettings,
}

/// The maximum size of a request of health and reflection, in bytes: it has one name, and anybody may send it.
const MAX_NAME_BYTES: usize = 4096;

/// The gRPC server, not yet running.
pub struct GrpcServer {
    service: <inbound::Stack as Layer<Routes>>::Service,
    web: Option<GrpcWeb>,
    settings: ConnectionSettings,
}

impl GrpcServer {
    /// A server for these services, behind an inbound stack with these settings.
    pub fn new(settings: &GrpcSettings, inbound: InboundSettings, tapes: Tapes, health: Health) -> Self {
        let mut tapes = TapeServiceServer::new(tapes)
            .max_decoding_message_size(settings.max_request_bytes)
            .accept_compressed(CompressionEncoding::Gzip);
        if settings.compress_responses {
            tapes = tapes.send_compressed(CompressionEncoding::Gzip);
        }
        let reflection =
            ServerReflectionServer::new(Reflection::new()).max_decoding_message_size(MAX_NAME_BYTES);
        let routes = Routes::new(tapes)
            .add_service(HealthServer::new(health).max_decoding_message_size(MAX_NAME_BYTES))
            .add_service(reflection.clone())
            .add_service(V1Alpha(reflection));
        let web = GrpcWeb::new(&inbound.origins);
        let service = inbound::stack(inbound).layer(routes.prepare());
        Self {
            service,
            web,
            settings: settings.connection.clone(),
        }
    }

    /// Serves the connections of `listener` until `stop` is cancelled and they have ended.
    pub async fn serve(
        self,
        listener: impl Listener,
        settings: AcceptSettings,
        metrics: Arc<ConnectionMetrics>,
        stop: CancellationToken,
    ) {
        match self.web {
            None => {
                let http2 = Http2::new(self.service, self.settings, metrics.clone());
                Acceptor {
                    settings,
                    http2,
                    metrics,
                }
                .run(listener, stop)
                .await;
            }
            Some(web) => {
                let http2 = Http2::new(web.layer(self.service), self.settings, metrics.clone());
                Acceptor {
                    settings,
                    http2,
                    metrics,
                }
                .run(listener, stop)
                .await;
            }
        }
    }
}

//! gRPC's health service, which reports readiness.
//!
//! It does not use tonic-health's implementation, which ends a `Watch` of an unknown service name.
//! The protocol requires the watch to stay open and to report SERVICE_UNKNOWN.

use futures_util::{Stream, StreamExt, future, stream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server,
};

use crate::{
    grpc::{proto::tape_service_server, status},
    observability::readiness::{Readiness, ReadinessWatch},
};

/// Reports the readiness of the replica, for the server (`""`) and for its one service.
#[derive(Clone, Debug)]
pub struct Health {
    readiness: Readiness,
    ending: CancellationToken,
}

impl Health {
    /// Reports this readiness. Watches do not end by themselves, so they end with `ending`.
    pub fn new(readiness: Readiness, ending: CancellationToken) -> Self {
        Self { readiness, ending }
    }
}

/// Whether the name is that of the server or of its service.
fn is_known(name: &str) -> bool {
    name.is_empty() || name == tape_service_server::SERVICE_NAME
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

fn serving(is_ready: bool) -> ServingStatus {
    match is_ready {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    }
}

#[async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        match is_known(&name) {
            true => Ok(Response::new(response(serving(
                self.readiness.reasons().is_empty(),
            )))),
            false => Err(status::unknown_service()),
        }
    }

    type WatchStream = std::pin::Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let statuses = match is_known(&request.into_inner().service) {
            true => changes(self.readiness.watch()).boxed(),
            // The watch stays open, as the protocol requires.
            false => stream::once(future::ready(ServingStatus::ServiceUnknown))
                .chain(stream::pending())
                .boxed(),
        };
        let ending = self.ending.clone().cancelled_owned();
        let responses = statuses.map(|status| Ok(response(status))).take_until(ending);
        Ok(Response::new(responses.boxed()))
    }
}

/// The current status, and then every change.
fn changes(watch: ReadinessWatch) -> impl Stream<Item = ServingStatus> {
    stream::unfold((watch, None), |(mut watch, last)| async move {
        loop {
            let status = serving(watch.ready());
            if last != Some(status) {
                return Some((status, (watch, Some(status))));
            }
            if !watch.changed().await {
                return None;
            }
        }
    })
}

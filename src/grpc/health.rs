//! gRPC's health protocol, by what is known of readiness.
//!
//! It is the service's own because tonic-health ends a `Watch` of a name that it does not know,
//! where the protocol has it stay, and say so.

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

/// Answers for the server as a whole and for its one service, which are as ready as the replica.
#[derive(Clone, Debug)]
pub struct Health {
    readiness: Readiness,
    ending: CancellationToken,
}

/// What a watcher is told.
type Told = Result<HealthCheckResponse, Status>;

impl Health {
    /// By this readiness. Watches, which would never end by themselves, end with `ending`.
    pub fn new(readiness: Readiness, ending: CancellationToken) -> Self {
        Self { readiness, ending }
    }
}

/// Whether this is the server as a whole, or its service.
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

    type WatchStream = std::pin::Pin<Box<dyn Stream<Item = Told> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let statuses = match is_known(&request.into_inner().service) {
            true => changes(self.readiness.watch()).boxed(),
            // It stays: the name could become known, in a newer version behind the same address.
            false => stream::once(future::ready(ServingStatus::ServiceUnknown))
                .chain(stream::pending())
                .boxed(),
        };
        let ending = self.ending.clone().cancelled_owned();
        let told = statuses.map(|status| Ok(response(status))).take_until(ending);
        Ok(Response::new(told.boxed()))
    }
}

/// The status of now, and each that differs from the one before.
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

use http::HeaderMap;

use crate::{
    domain::{CreateTapeWithBarcode, CreateTapes, Operation, OperationKind},
    grpc::proto::tape_service_server::SERVICE_NAME,
    observability::metrics::labels,
};

/// The methods that are served. To figures all others are one.
pub(super) const KNOWN: [&str; 10] = [
    "tapegate.v1.TapeService/CreateTapeWithBarcode",
    "tapegate.v1.TapeService/CreateTapes",
    "tapegate.v1.TapeService/DescribeTapeArchives",
    "tapegate.v1.TapeService/DescribeTapes",
    "tapegate.v1.TapeService/ListTapes",
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The place of a path's method in [`KNOWN`]; behind its end if it is not there.
pub(super) fn index(path: &str) -> usize {
    let method = path.strip_prefix('/');
    let place = KNOWN.iter().position(|known| Some(*known) == method);
    place.unwrap_or(KNOWN.len())
}

/// The name of the method at this place.
pub(super) fn name(index: usize) -> &'static str {
    KNOWN.get(index).copied().unwrap_or(labels::OTHER)
}

/// The longest method that is written down, in bytes: the caller can put there what it likes.
const MAX_SHOWN: usize = 100;

/// What is written down of a path.
pub(super) fn shown(path: &str) -> &str {
    &path[..path.floor_char_boundary(MAX_SHOWN)]
}

/// What a call of this path does; `None` where the path is not of this service.
pub(super) fn kind(path: &str) -> Option<OperationKind> {
    let method = path
        .strip_prefix('/')?
        .strip_prefix(SERVICE_NAME)?
        .strip_prefix('/')?;
    let creates = [CreateTapeWithBarcode::NAME, CreateTapes::NAME];
    Some(if creates.contains(&method) {
        OperationKind::Create
    } else {
        OperationKind::Read
    })
}

/// Whether a path is of gRPC's health service.
pub(super) fn is_health(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/")
}

/// Whether a path is the one of watching health, which has no end of its own.
pub(super) fn is_watch(path: &str) -> bool {
    path == "/grpc.health.v1.Health/Watch"
}

/// Whether a path is of gRPC's reflection, in either version.
pub(super) fn is_reflection(path: &str) -> bool {
    path.starts_with("/grpc.reflection.")
}

/// Whether the client's library says that it sent this call before (gRFC A6).
pub fn is_resent(headers: &HeaderMap) -> bool {
    headers
        .get("grpc-previous-rpc-attempts")
        .and_then(|count| count.to_str().ok()?.parse().ok())
        .is_some_and(|count: u32| count > 0)
}

use http::HeaderMap;

use crate::{
    domain::{CreateTapeWithBarcode, CreateTapes, Operation, OperationKind},
    grpc::proto::tape_service_server::SERVICE_NAME,
    observability::metrics::labels,
};

/// The methods that are served. In the metrics, all others count as one.
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

/// The index in [`KNOWN`] of a path's method, or the length of [`KNOWN`].
pub(super) fn index(path: &str) -> usize {
    let method = path.strip_prefix('/');
    let index = KNOWN.iter().position(|known| Some(*known) == method);
    index.unwrap_or(KNOWN.len())
}

/// The name of the method with this index.
pub(super) fn name(index: usize) -> &'static str {
    KNOWN.get(index).copied().unwrap_or(labels::OTHER)
}

/// The longest path that is logged, in bytes; callers can send paths of any length.
const MAX_SHOWN: usize = 100;

/// The path, truncated for the log.
pub(super) fn shown(path: &str) -> &str {
    &path[..path.floor_char_boundary(MAX_SHOWN)]
}

/// The name of the AWS operation of this path; `None` if the path is of another service or method.
pub(super) fn operation(path: &str) -> Option<&'static str> {
    KNOWN
        .get(index(path))?
        .strip_prefix(SERVICE_NAME)?
        .strip_prefix('/')
}

/// The kind of the operation of this path; `None` if the path is of another service.
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

/// Whether the path is of gRPC's health service.
pub(super) fn is_health(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/")
}

/// Whether the path is of a health check, which is answered at once.
pub(super) fn is_check(path: &str) -> bool {
    is_health(path) && !is_watch(path)
}

/// Whether the path is of a health watch, which does not end by itself.
pub(super) fn is_watch(path: &str) -> bool {
    path == "/grpc.health.v1.Health/Watch"
}

/// Whether the path is of gRPC's reflection, in either version.
pub(super) fn is_reflection(path: &str) -> bool {
    path.starts_with("/grpc.reflection.")
}

/// Whether the client's library has sent this call before (gRFC A6).
pub fn is_resent(headers: &HeaderMap) -> bool {
    headers
        .get("grpc-previous-rpc-attempts")
        .and_then(|count| count.to_str().ok()?.parse().ok())
        .is_some_and(|count: u32| count > 0)
}

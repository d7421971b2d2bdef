use http::HeaderMap;

use crate::{
    domain::{CreateTapeWithBarcode, CreateTapes, Kind, Operation},
    proto::tape_service_server::SERVICE_NAME,
};

/// What a call of this path does; `None` where the path is not of this service.
pub(super) fn kind(path: &str) -> Option<Kind> {
    let method = path
        .strip_prefix('/')?
        .strip_prefix(SERVICE_NAME)?
        .strip_prefix('/')?;
    let creates = [CreateTapeWithBarcode::NAME, CreateTapes::NAME];
    Some(if creates.contains(&method) {
        Kind::Create
    } else {
        Kind::Read
    })
}

/// Whether a path is of gRPC's health service.
pub(super) fn is_health(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/")
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

use std::net::SocketAddr;

use super::{
    Setting,
    values::Values,
    word::{Address, Integer, Switch},
};

/// What the service takes in: where it listens, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where gRPC is served (`listen`, `TAPEGATE_LISTEN`).
    pub listen: SocketAddr,
    /// Where the health pages are served (`admin_listen`, `TAPEGATE_ADMIN_LISTEN`).
    pub admin_listen: SocketAddr,
    /// The largest request message, in bytes (`max_request_bytes`).
    pub max_request_bytes: usize,
    /// How many calls a connection may have open (`max_concurrent_streams`).
    pub max_concurrent_streams: u32,
    /// Whether callers need no identity (`allow_anonymous`).
    pub allow_anonymous: bool,
}

pub(crate) static LISTEN: Setting<Address> = Setting {
    key: "listen",
    kind: Address,
    default: Some("127.0.0.1:50051"),
    help: "Where gRPC is served. Loopback only, as long as anonymous callers are allowed.",
};

pub(crate) static ADMIN_LISTEN: Setting<Address> = Setting {
    key: "admin_listen",
    kind: Address,
    default: Some("127.0.0.1:9464"),
    help: "Where the health pages /livez and /readyz are served over HTTP.",
};

pub(crate) static ALLOW_ANONYMOUS: Setting<Switch> = Setting {
    key: "allow_anonymous",
    kind: Switch,
    default: Some("false"),
    help: "Let every caller in, without identity, to do everything. For loopback only.",
};

pub(crate) static MAX_REQUEST_BYTES: Setting<Integer<usize>> = Setting {
    key: "max_request_bytes",
    kind: Integer {
        range: 64 * 1024..=4 * 1024 * 1024,
        unit: "bytes",
    },
    default: Some("1048576"),
    help: "The largest request message that is read. A larger one is answered RESOURCE_EXHAUSTED.",
};

pub(crate) static MAX_CONCURRENT_STREAMS: Setting<Integer<u32>> = Setting {
    key: "max_concurrent_streams",
    kind: Integer {
        range: 1..=10_000,
        unit: "calls",
    },
    default: Some("200"),
    help: "How many calls one connection may have open. The client holds back the rest.",
};

impl Server {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        values.distinct(&LISTEN, &ADMIN_LISTEN);
        Some(Self {
            listen: values.get(&LISTEN)?,
            admin_listen: values.get(&ADMIN_LISTEN)?,
            max_request_bytes: values.get(&MAX_REQUEST_BYTES)?,
            max_concurrent_streams: values.get(&MAX_CONCURRENT_STREAMS)?,
            allow_anonymous: values.get(&ALLOW_ANONYMOUS)?,
        })
    }
}

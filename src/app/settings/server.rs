//! The top of the file apart from regions and accounts, `[tls]`, `[readiness]` and `[shutdown]`.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use http::HeaderValue;
use ipnet::IpNet;

use super::{
    Setting, auth,
    parsers::{ADDRESS, Bool, Choice, DurationIn, FILE, Integer, NETWORK, ORIGIN, Parsed},
    setting_type::List,
    values::Values,
};
use crate::{
    grpc::{
        connection::{CUT_GRACE, places::PlaceSettings, serve::ConnectionSettings},
        inbound::AccessMode,
        server::GrpcSettings,
        tls::TlsSettings,
    },
    observability::{
        admin::{AdminAccess, AdminSettings},
        readiness::NotReadyOn,
    },
};

/// Where the service listens, and the limits of its connections and calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address of the gRPC listener (`listen`).
    pub listen: SocketAddr,
    /// The address of the admin listener (`admin_listen`).
    pub admin_listen: SocketAddr,
    /// The limits of requests and connections.
    pub grpc: GrpcSettings,
    /// How many threads serve connections and calls (`worker_threads`); `None` is as many as there are
    /// processors.
    pub worker_threads: Option<usize>,
    /// The maximum number of calls in progress (`max_concurrent_calls`).
    pub max_concurrent_calls: usize,
    /// How many bytes requests may hold that have not arrived as a whole (`max_arriving_bytes`).
    pub max_arriving_bytes: usize,
    /// How long tasks may wait for a processor (`max_scheduling_delay`).
    pub max_scheduling_delay: Duration,
    /// How many connections may be open.
    pub places: PlaceSettings,
    /// The timeout of the TLS handshake, and again of the HTTP/2 preface (`handshake_timeout`).
    pub handshake_timeout: Duration,
    /// Whether callers need no identity and may do everything (`allow_anonymous`).
    pub allow_anonymous: bool,
    /// Whether plain text is allowed beyond loopback (`allow_plaintext`).
    pub allow_plaintext: bool,
    /// Who may call the health service (`auth.health`).
    pub health: AccessMode,
    /// Who may use reflection (`auth.reflection`).
    pub reflection: AccessMode,
    /// The proxies whose `x-forwarded-for` is trusted (`trusted_proxies`).
    pub trusted_proxies: BTreeSet<IpNet>,
    /// The origins of the web pages that may call the service (`grpc_web.allowed_origins`).
    pub allowed_origins: BTreeSet<HeaderValue>,
    /// How often files are checked for changes (`reload_interval`).
    pub reload_interval: Duration,
    /// How long before something expires the start warns (`expiry_warning`).
    pub expiry_warning: Duration,
}

/// How the service stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownSettings {
    /// How long calls are accepted after health reports NOT_SERVING (`shutdown.delay`).
    pub delay: Duration,
    /// How long calls in progress may take after that (`shutdown.drain_timeout`).
    pub drain_timeout: Duration,
}

impl ShutdownSettings {
    /// How long a stop takes at most: the delay, the drain, two seconds for the end of calls that were
    /// cut, and one for the rest. Telemetry for a collector that does not answer can take five seconds
    /// more.
    pub fn needed(&self) -> Duration {
        self.delay + self.drain_timeout + 2 * CUT_GRACE + Duration::from_secs(1)
    }
}

pub(crate) static LISTEN: Setting<Parsed<SocketAddr>> = Setting {
    key: "listen",
    kind: ADDRESS,
    default: Some("127.0.0.1:50051"),
    help: "The address of the gRPC listener. If allow_anonymous is set, it must be a loopback address. Otherwise an \
           address that is not loopback needs tls.cert or allow_plaintext.",
};

pub(crate) static ADMIN_LISTEN: Setting<Parsed<SocketAddr>> = Setting {
    key: "admin_listen",
    kind: ADDRESS,
    default: Some("127.0.0.1:9464"),
    help: "The address of the admin HTTP listener. Everybody may read /livez, /readyz and /metrics; admin_pages decides \
           who may read the operator pages. It must be a loopback address if anonymous callers are allowed.",
};

pub(crate) static ADMIN_PAGES: Setting<Choice<AdminAccess>> = Setting {
    key: "admin_pages",
    kind: Choice(&[("loopback", AdminAccess::Loopback), ("open", AdminAccess::Open)]),
    default: Some("loopback"),
    help: "Who may read the operator pages / and /config, which show names of callers and files. loopback: requests \
           from this machine only, including ssh -L and kubectl port-forward. open: everybody who reaches the \
           listener. /log-filter, which changes what is logged, is always for this machine only.",
};

pub(crate) static ADMIN_MAX_CONNECTIONS: Setting<Integer<usize>> = Setting {
    key: "admin_max_connections",
    kind: Integer {
        range: 1..=100_000,
        unit: "connections",
    },
    default: Some("128"),
    help: "The maximum number of open admin connections. A further one takes the place of the connection that has \
           waited for a request for longest, so that no client can keep out a probe. A connection is also closed if it \
           does not send a complete request head or reads nothing of a response within handshake_timeout, and after six \
           times handshake_timeout in any case.",
};

pub(crate) static ALLOW_ANONYMOUS: Setting<Bool> = Setting {
    key: "allow_anonymous",
    kind: Bool,
    default: Some("false"),
    help: "Accept every caller without authentication and allow it everything. Configured identities, \
           policies and limits of principals are ignored. Only for loopback addresses.",
};

pub(crate) static ALLOW_PLAINTEXT: Setting<Bool> = Setting {
    key: "allow_plaintext",
    kind: Bool,
    default: Some("false"),
    help: "Accept plain-text connections from other machines. Use it only behind a service mesh or a proxy on the same \
           machine that terminates TLS. Without TLS, bearer tokens are sent unencrypted.",
};

pub(crate) static TRUSTED_PROXIES: Setting<List<Parsed<IpNet>>> = Setting {
    key: "trusted_proxies",
    kind: List(NETWORK),
    default: None,
    help: "The addresses of proxies whose x-forwarded-for header is trusted. For policies and the audit, the caller's \
           address is the rightmost address in that header that is not a trusted proxy. Default: none, and the header \
           is ignored.",
};

pub(crate) static RELOAD_INTERVAL: Setting<DurationIn> = Setting {
    key: "reload_interval",
    kind: DurationIn(Duration::from_millis(10)..=Duration::from_secs(60 * 60)),
    default: Some("2s"),
    help: "How often the files of certificates, keys, tokens and policies are checked for changes. The service applies \
           a change when two consecutive checks read the same new content, or immediately on SIGHUP.",
};

pub(crate) static MAX_CONNECTIONS: Setting<Integer<usize>> = Setting {
    key: "max_connections",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "connections",
    },
    default: Some("2000"),
    help: "The maximum number of open gRPC connections. For a further one, the connection that has been idle for \
           longest gives its place (HTTP/2 GOAWAY), if it has been idle for a second; otherwise the further one is \
           closed immediately. Each connection needs an open file: the service raises its limit as far as the hard limit \
           allows (ulimit -Hn), and if that is too low, uses fewer connections and warns.",
};

pub(crate) static MAX_CONNECTIONS_PER_ADDRESS: Setting<Integer<usize>> = Setting {
    key: "max_connections_per_address",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "connections",
    },
    default: Some("500"),
    help: "The maximum number of open gRPC connections from one IPv4 address, or from one /64 network of IPv6. It works \
           as max_connections does, among the connections of that address. Addresses of trusted_proxies have no such \
           limit.",
};

pub(crate) static HANDSHAKE_TIMEOUT: Setting<DurationIn> = Setting {
    key: "handshake_timeout",
    kind: DurationIn(Duration::from_millis(100)..=Duration::from_secs(5 * 60)),
    default: Some("10s"),
    help: "The timeout of the TLS handshake of a new connection. The HTTP/2 preface that follows has a separate timeout \
           of the same length. A connection that exceeds either timeout is closed.",
};

pub(crate) static MAX_CONNECTION_AGE: Setting<DurationIn> = Setting {
    key: "max_connection_age",
    kind: DurationIn(Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 60 * 60)),
    default: Some("1h"),
    help: "The maximum age of a connection, to which up to 10 % is added or subtracted at random. The service then asks \
           the client to open a new one (HTTP/2 GOAWAY), and calls in progress finish on the old one. This lets load \
           balancers redistribute clients, and client certificates are verified again.",
};

pub(crate) static MAX_CONNECTION_AGE_GRACE: Setting<DurationIn> = Setting {
    key: "max_connection_age_grace",
    kind: DurationIn(Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 60 * 60)),
    default: Some("20m"),
    help: "How long the calls of a connection may take after max_connection_age, before it is closed. It should be \
           longer than deadline.stream. Health watches and reflection streams have no end of their own: their clients \
           begin them again.",
};

pub(crate) static SEND_TIMEOUT: Setting<DurationIn> = Setting {
    key: "send_timeout",
    kind: DurationIn(Duration::from_millis(100)..=Duration::from_secs(60 * 60)),
    default: Some("30s"),
    help: "How long a response may wait for a client that does not read it. The call is then ended (HTTP/2 RST_STREAM), \
           and other calls on the connection go on. A connection that ends waits as long for its client to read the \
           last responses.",
};

pub(crate) static MAX_CONNECTION_RATE: Setting<Integer<u32>> = Setting {
    key: "max_connection_rate",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "connections",
    },
    default: Some("100"),
    help: "How many gRPC connections one IPv4 address, or one /64 network of IPv6, may open per second, and twice as many \
           at once. Further ones wait for up to 10 s before their handshake. Addresses of trusted_proxies have no such \
           limit.",
};

pub(crate) static MAX_UNREAD_BYTES: Setting<Integer<usize>> = Setting {
    key: "max_unread_bytes",
    kind: Integer {
        range: 1_048_576..=1_099_511_627_776,
        unit: "bytes",
    },
    default: Some("268435456"),
    help: "The maximum number of bytes of all responses together that wait for clients to read them. With more, the call \
           whose client has not read for the longest time is ended (HTTP/2 RST_STREAM). The default is 256 MiB.",
};

pub(crate) static MAX_CONTROL_FRAMES: Setting<Integer<u32>> = Setting {
    key: "max_control_frames",
    kind: Integer {
        range: 100..=10_000_000,
        unit: "frames",
    },
    default: Some("5000"),
    help: "The maximum number of HTTP/2 frames per second on one connection that carry little of a call, such as \
           WINDOW_UPDATE. A PING or SETTINGS, which has to be answered, counts as ten, and so does the RST_STREAM of a \
           call that the client cancels. A call counts as fifty until it is admitted, and so does one that fails before AWS is \
           asked, for example with UNAUTHENTICATED or RESOURCE_EXHAUSTED, unless the code is UNAVAILABLE. A health check, a \
           reflection stream, and an RST_STREAM of the service because of an error of the client count as fifty too, and a \
           question on a reflection stream as ten. None of these counts on the connections of trusted_proxies. Each KiB of \
           metadata counts as one, and so does a DATA frame of less than 256 bytes that does not end a request. With more, \
           the service reads the connection more slowly. More than four connections of one address share the number of \
           four, except those of trusted_proxies.",
};

pub(crate) static MAX_PENDING_RESETS: Setting<Integer<usize>> = Setting {
    key: "max_pending_resets",
    kind: Integer {
        range: 20..=100_000,
        unit: "calls",
    },
    default: Some("1000"),
    help: "How many calls a client may begin and cancel before the service has seen them. With more, the connection is \
           closed (HTTP/2 GOAWAY with ENHANCE_YOUR_CALM), which ends a rapid reset attack.",
};

pub(crate) static KEEPALIVE_INTERVAL: Setting<DurationIn> = Setting {
    key: "keepalive_interval",
    kind: DurationIn(Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60)),
    default: Some("1m"),
    help: "How long a connection may be idle before the service sends an HTTP/2 PING, to check whether the client is \
           still there.",
};

pub(crate) static KEEPALIVE_TIMEOUT: Setting<DurationIn> = Setting {
    key: "keepalive_timeout",
    kind: DurationIn(Duration::from_millis(100)..=Duration::from_secs(60 * 60)),
    default: Some("20s"),
    help: "How long the client may take to answer that PING before its connection is closed.",
};

pub(crate) static MAX_REQUEST_BYTES: Setting<Integer<usize>> = Setting {
    key: "max_request_bytes",
    kind: Integer {
        range: 64 * 1024..=4 * 1024 * 1024,
        unit: "bytes",
    },
    default: Some("1048576"),
    help: "The maximum size of a request message; of a compressed one, before and after it is decompressed. A larger \
           message is rejected with RESOURCE_EXHAUSTED.",
};

pub(crate) static MAX_ARRIVING_BYTES: Setting<Integer<usize>> = Setting {
    key: "max_arriving_bytes",
    kind: Integer {
        range: 8 * 1024 * 1024..=1_099_511_627_776,
        unit: "bytes",
    },
    default: Some("67108864"),
    help: "The maximum number of bytes of all requests together that have not arrived as a whole. With more, the calls \
           whose requests began to arrive first are ended with UNAVAILABLE. The default is 64 MiB.",
};

pub(crate) static COMPRESS_RESPONSES: Setting<Bool> = Setting {
    key: "compress_responses",
    kind: Bool,
    default: Some("false"),
    help: "Compress response messages with gzip for clients that accept it, which most do without being told to. A \
           page of 1,000 tapes shrinks to less than a tenth, and takes about 2 ms more of a processor: worth it where \
           callers are far away.",
};

pub(crate) static MAX_CONCURRENT_STREAMS: Setting<Integer<u32>> = Setting {
    key: "max_concurrent_streams",
    kind: Integer {
        range: 1..=10_000,
        unit: "calls",
    },
    default: Some("200"),
    help: "The maximum number of concurrent calls on one connection. A client that follows HTTP/2 \
           (SETTINGS_MAX_CONCURRENT_STREAMS) delays further calls.",
};

pub(crate) static MAX_SCHEDULING_DELAY: Setting<DurationIn> = Setting {
    key: "max_scheduling_delay",
    kind: DurationIn(Duration::from_millis(1)..=Duration::from_secs(60 * 60)),
    default: Some("22ms"),
    help: "How long tasks of the service may wait for a processor. For reads, the time is added that they wait for a \
           connection to AWS (upstream.max_connections) and for a processor that reads their response. While they wait \
           longer, a part of the reads is rejected with UNAVAILABLE (OVERLOADED), so that calls that are accepted end in \
           time: none is accepted at twice as long a wait. Creates are rejected when tasks wait three to four times as \
           long for a processor.",
};

pub(crate) static MAX_CONCURRENT_CALLS: Setting<Integer<usize>> = Setting {
    key: "max_concurrent_calls",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "calls",
    },
    default: Some("5000"),
    help: "The maximum number of calls in progress on all connections together. A call is in progress until the last \
           byte of its response is sent. Further calls are rejected with UNAVAILABLE. Reflection streams and health \
           watches have limits of their own, each a tenth of this one, of which the clients of one address, or of one \
           /64 network of IPv6, can use a quarter; a health check does not count, but an address can have as many at \
           once as watches (and 16 at least), and a check ends after 5 s without its message.",
};

pub(crate) static WORKER_THREADS: Setting<Integer<usize>> = Setting {
    key: "worker_threads",
    kind: Integer {
        range: 1..=1_024,
        unit: "threads",
    },
    default: None,
    help: "The number of threads that serve connections and calls. Default: the variable TOKIO_WORKER_THREADS, or the \
           number of processors that the process may use, by its affinity and the quota of its cgroup (cpu.max).",
};

pub(crate) static EXPIRY_WARNING: Setting<DurationIn> = Setting {
    key: "expiry_warning",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(365 * 24 * 60 * 60)),
    default: Some("30days"),
    help: "How long before a certificate or the last static token of a principal expires the start and `tapegate check` \
           warn.",
};

pub(crate) static TLS_CERT: Setting<Parsed<PathBuf>> = Setting {
    key: "tls.cert",
    kind: FILE,
    default: None,
    help: "The certificate of the service as PEM, followed by the intermediate certificates. If it is set, the gRPC \
           listener accepts TLS 1.2 and 1.3 only, and no plain text.",
};

pub(crate) static TLS_KEY: Setting<Parsed<PathBuf>> = Setting {
    key: "tls.key",
    kind: FILE,
    default: None,
    help: "The private key of tls.cert, as PEM.",
};

pub(crate) static TLS_CLIENT_CA: Setting<Parsed<PathBuf>> = Setting {
    key: "tls.client_ca",
    kind: FILE,
    default: None,
    help: "The root certificates that verify client certificates, as PEM. If it is set, clients are asked for a \
           certificate, which identifies the caller. A connection without a certificate is accepted, but its calls \
           need a bearer token.",
};

pub(crate) static READINESS_AWS: Setting<Choice<NotReadyOn>> = Setting {
    key: "readiness.aws",
    kind: Choice(&[
        ("report", NotReadyOn::Nothing),
        ("no_answer", NotReadyOn::NoAnswer),
        ("throttled", NotReadyOn::Throttling),
    ]),
    default: Some("report"),
    help: "The condition of AWS that makes the replica not ready, if all regions of the setting regions have it. report: none; \
           /readyz and a metric only report the condition. no_answer: AWS does not respond. throttled: AWS does not \
           respond, or it throttles calls. A condition usually affects all replicas. If no replica is ready, callers \
           get no error that explains the cause. A replica that receives no calls becomes ready again after \
           pace.forget.",
};

pub(crate) static SHUTDOWN_DELAY: Setting<DurationIn> = Setting {
    key: "shutdown.delay",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(10 * 60)),
    default: Some("0s"),
    help: "How long the service accepts calls after health reports NOT_SERVING, so that load balancers can react. In \
           Kubernetes, 5s.",
};

pub(crate) static DRAIN_TIMEOUT: Setting<DurationIn> = Setting {
    key: "shutdown.drain_timeout",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(60 * 60)),
    default: Some("20s"),
    help: "How long calls in progress may take after the service stops accepting new ones. Calls that take longer end \
           with UNAVAILABLE (SHUTTING_DOWN). A stop takes at most shutdown.delay + shutdown.drain_timeout + 3s, and up \
           to 5s more if there is a collector and it does not answer. The time between SIGTERM and SIGKILL must be \
           longer: 30s by default in Kubernetes (terminationGracePeriodSeconds). Keep it at or above \
           upstream.create_timeout, or the outcome of creates that a stop cuts is unknown.",
};

pub(crate) static ALLOWED_ORIGINS: Setting<List<Parsed<HeaderValue>>> = Setting {
    key: "grpc_web.allowed_origins",
    kind: List(ORIGIN),
    default: None,
    help: "The origins of the web pages whose browsers may call the service with gRPC-Web, on the gRPC listener. A \
           browser's call is authenticated like any other. Browsers speak HTTP/2 with TLS only, so this needs tls.cert \
           or a proxy with a certificate. With a list, a request whose Origin header is not in it gets HTTP 403, \
           whatever its content type. Default: none, and gRPC-Web is off.",
};

pub(super) fn read(values: &mut Values) -> Option<ServerSettings> {
    values.distinct(&LISTEN, &ADMIN_LISTEN);
    values.set_default_list(&TRUSTED_PROXIES, [""; 0]);
    values.set_default_list(&ALLOWED_ORIGINS, [""; 0]);
    let trusted_proxies = values.get(&TRUSTED_PROXIES)?;
    Some(ServerSettings {
        listen: values.get(&LISTEN)?,
        admin_listen: values.get(&ADMIN_LISTEN)?,
        grpc: GrpcSettings {
            max_request_bytes: values.get(&MAX_REQUEST_BYTES)?,
            compress_responses: values.get(&COMPRESS_RESPONSES)?,
            connection: ConnectionSettings {
                max_concurrent_streams: values.get(&MAX_CONCURRENT_STREAMS)?,
                max_age: values.get(&MAX_CONNECTION_AGE)?,
                max_age_grace: values.get(&MAX_CONNECTION_AGE_GRACE)?,
                max_pending_resets: values.get(&MAX_PENDING_RESETS)?,
                send_timeout: values.get(&SEND_TIMEOUT)?,
                max_unread_bytes: values.get(&MAX_UNREAD_BYTES)?,
                keepalive_interval: values.get(&KEEPALIVE_INTERVAL)?,
                keepalive_timeout: values.get(&KEEPALIVE_TIMEOUT)?,
            },
        },
        worker_threads: values.optional(&WORKER_THREADS)?,
        max_concurrent_calls: values.get(&MAX_CONCURRENT_CALLS)?,
        max_arriving_bytes: values.get(&MAX_ARRIVING_BYTES)?,
        max_scheduling_delay: values.get(&MAX_SCHEDULING_DELAY)?,
        places: PlaceSettings {
            max_connections: values.get(&MAX_CONNECTIONS)?,
            max_per_address: values.get(&MAX_CONNECTIONS_PER_ADDRESS)?,
            proxies: trusted_proxies.clone(),
            max_control_frames: values.get(&MAX_CONTROL_FRAMES)?,
            max_rate: values.get(&MAX_CONNECTION_RATE)?,
        },
        handshake_timeout: values.get(&HANDSHAKE_TIMEOUT)?,
        allow_anonymous: values.get(&ALLOW_ANONYMOUS)?,
        allow_plaintext: values.get(&ALLOW_PLAINTEXT)?,
        health: values.get(&auth::HEALTH)?,
        reflection: values.get(&auth::REFLECTION)?,
        trusted_proxies,
        allowed_origins: values.get(&ALLOWED_ORIGINS)?,
        reload_interval: values.get(&RELOAD_INTERVAL)?,
        expiry_warning: values.get(&EXPIRY_WARNING)?,
    })
}

pub(super) fn admin(values: &Values) -> Option<AdminSettings> {
    Some(AdminSettings {
        access: values.get(&ADMIN_PAGES)?,
        max_connections: values.get(&ADMIN_MAX_CONNECTIONS)?,
        head_timeout: values.get(&HANDSHAKE_TIMEOUT)?,
    })
}

/// `Some(None)` is plain text.
pub(super) fn tls(values: &mut Values) -> Option<Option<TlsSettings>> {
    let [cert, key, client_ca] =
        [&TLS_CERT, &TLS_KEY, &TLS_CLIENT_CA].map(|setting| values.optional(setting));
    let (cert, key, client_ca) = (cert?, key?, client_ca?);
    match (cert, key, client_ca) {
        (Some(cert), Some(key), client_ca) => Some(Some(TlsSettings { cert, key, client_ca })),
        (None, None, None) => Some(None),
        (cert, key, _) => {
            for (setting, value) in [(&TLS_CERT, cert), (&TLS_KEY, key)] {
                if value.is_none() {
                    values.fault(setting, "is not set; TLS needs tls.cert and tls.key");
                }
            }
            None
        }
    }
}

pub(super) fn readiness(values: &Values) -> Option<NotReadyOn> {
    values.get(&READINESS_AWS)
}

pub(super) fn shutdown(values: &Values) -> Option<ShutdownSettings> {
    Some(ShutdownSettings {
        delay: values.get(&SHUTDOWN_DELAY)?,
        drain_timeout: values.get(&DRAIN_TIMEOUT)?,
    })
}

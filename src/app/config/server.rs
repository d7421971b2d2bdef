use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use ipnet::IpNet;

use super::{
    Setting,
    kind::List,
    values::{Raw, Values},
    word::{Address, Choice, Integer, Network, Span, Switch},
};

/// What the service takes in: where it listens, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where gRPC is served (`listen`, `TAPEGATE_LISTEN`).
    pub listen: SocketAddr,
    /// Where the admin pages are served (`admin_listen`, `TAPEGATE_ADMIN_LISTEN`).
    pub admin_listen: SocketAddr,
    /// Who is shown those for operators (`admin_pages`).
    pub admin_pages: AdminPages,
    /// The largest request message, in bytes (`max_request_bytes`).
    pub max_request_bytes: usize,
    /// How many connections may be open to the admin pages (`admin_max_connections`).
    pub admin_max_connections: usize,
    /// How many calls a connection may have open (`max_concurrent_streams`).
    pub max_concurrent_streams: u32,
    /// How many calls may be in progress (`max_concurrent_calls`).
    pub max_concurrent_calls: usize,
    /// How many connections may be open (`max_connections`).
    pub max_connections: usize,
    /// How long a connection has to begin (`handshake_timeout`).
    pub handshake_timeout: Duration,
    /// After how long connections are to be opened anew (`max_connection_age`).
    pub max_connection_age: Duration,
    /// How often a silent connection is asked whether it lives (`keepalive_interval`).
    pub keepalive_interval: Duration,
    /// How long it has to say so (`keepalive_timeout`).
    pub keepalive_timeout: Duration,
    /// Whether callers need no identity (`allow_anonymous`).
    pub allow_anonymous: bool,
    /// Whether plain text is served to other machines (`allow_plaintext`).
    pub allow_plaintext: bool,
    /// Who is believed when saying for whom it forwards (`trusted_proxies`).
    pub trusted_proxies: BTreeSet<IpNet>,
    /// How often files are looked at for changes (`reload_interval`).
    pub reload_interval: Duration,
}

/// Who is shown the admin pages for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminPages {
    /// This machine.
    Loopback,
    /// Whoever asks.
    Open,
}

pub(crate) static LISTEN: Setting<Address> = Setting {
    key: "listen",
    kind: Address,
    default: Some("127.0.0.1:50051"),
    help: "Where gRPC is served. Loopback only, as long as anonymous callers are allowed; beyond it only with TLS, or \
           with allow_plaintext.",
};

pub(crate) static ADMIN_LISTEN: Setting<Address> = Setting {
    key: "admin_listen",
    kind: Address,
    default: Some("127.0.0.1:9464"),
    help: "Where the admin pages are served over HTTP: /livez, /readyz and /metrics to whoever asks, those for \
           operators as admin_pages says. Loopback only, as long as anonymous callers are allowed.",
};

pub(crate) static ADMIN_PAGES: Setting<Choice<AdminPages>> = Setting {
    key: "admin_pages",
    kind: Choice(&[("loopback", AdminPages::Loopback), ("open", AdminPages::Open)]),
    default: Some("loopback"),
    help: "Who is shown the pages for operators, / and /config, which name callers and files: this machine alone, \
           which includes ssh -L and kubectl port-forward (loopback), or whoever asks (open). /log-filter, which \
           changes something, answers this machine alone in any case.",
};

pub(crate) static ADMIN_MAX_CONNECTIONS: Setting<Integer<usize>> = Setting {
    key: "admin_max_connections",
    kind: Integer {
        range: 1..=100_000,
        unit: "connections",
    },
    default: Some("128"),
    help: "How many connections may be open to the admin pages. One more is closed at once. One that does not say all \
           of a request's head within handshake_timeout is closed, and so is each after six times as long.",
};

pub(crate) static ALLOW_ANONYMOUS: Setting<Switch> = Setting {
    key: "allow_anonymous",
    kind: Switch,
    default: Some("false"),
    help: "Let every caller in, without identity, to do everything: what identities and policies are configured counts \
           for nothing. For loopback only.",
};

pub(crate) static ALLOW_PLAINTEXT: Setting<Switch> = Setting {
    key: "allow_plaintext",
    kind: Switch,
    default: Some("false"),
    help: "Serve plain text to other machines. For a service mesh or a proxy on the same machine that does TLS: tokens \
           can be read on the way.",
};

pub(crate) static TRUSTED_PROXIES: Setting<List<Network>> = Setting {
    key: "trusted_proxies",
    kind: List(Network),
    default: None,
    help: "The addresses of proxies whose x-forwarded-for is believed. The caller's address, to policies and the \
           audit, is the last in it that is none of these. Default: none, and nobody's word is taken.",
};

pub(crate) static RELOAD_INTERVAL: Setting<Span> = Setting {
    key: "reload_interval",
    kind: Span(Duration::from_millis(10)..=Duration::from_secs(60 * 60)),
    default: Some("2s"),
    help: "How often the files of certificates, keys, tokens and policies are looked at. What has changed comes into \
           force when it is the same at two looks in a row, or at once on SIGHUP.",
};

pub(crate) static MAX_CONNECTIONS: Setting<Integer<usize>> = Setting {
    key: "max_connections",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "connections",
    },
    default: Some("2000"),
    help: "How many connections may be open. One more is closed at once. Mind the limit of open files (ulimit -n).",
};

pub(crate) static HANDSHAKE_TIMEOUT: Setting<Span> = Setting {
    key: "handshake_timeout",
    kind: Span(Duration::from_millis(100)..=Duration::from_secs(5 * 60)),
    default: Some("10s"),
    help: "How long a new connection has for its TLS handshake, and then again to begin with HTTP/2. One that does not \
           is closed.",
};

pub(crate) static MAX_CONNECTION_AGE: Setting<Span> = Setting {
    key: "max_connection_age",
    kind: Span(Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 60 * 60)),
    default: Some("1h"),
    help: "How old a connection may become. Its client is then told to open another, and calls in progress end on the \
           old one. So balancers can spread callers anew, and certificates are asked for again.",
};

pub(crate) static KEEPALIVE_INTERVAL: Setting<Span> = Setting {
    key: "keepalive_interval",
    kind: Span(Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60)),
    default: Some("1m"),
    help: "How long a connection may be silent before it is asked whether its client is still there (HTTP/2 PING).",
};

pub(crate) static KEEPALIVE_TIMEOUT: Setting<Span> = Setting {
    key: "keepalive_timeout",
    kind: Span(Duration::from_millis(100)..=Duration::from_secs(60 * 60)),
    default: Some("20s"),
    help: "How long the client has to answer that, or its connection is closed.",
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

pub(crate) static MAX_CONCURRENT_CALLS: Setting<Integer<usize>> = Setting {
    key: "max_concurrent_calls",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "calls",
    },
    default: Some("5000"),
    help: "How many calls of all connections together may be in progress, to the last byte of their answers. One more \
           is answered UNAVAILABLE at once. Beside them there is room for a tenth as many reflection streams, and as \
           many watches of health; asking for health once is not counted.",
};

impl Server {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        values.distinct(&LISTEN, &ADMIN_LISTEN);
        values.derive(&TRUSTED_PROXIES, Raw::Many(Vec::new()));
        Some(Self {
            listen: values.get(&LISTEN)?,
            admin_listen: values.get(&ADMIN_LISTEN)?,
            admin_pages: values.get(&ADMIN_PAGES)?,
            admin_max_connections: values.get(&ADMIN_MAX_CONNECTIONS)?,
            max_request_bytes: values.get(&MAX_REQUEST_BYTES)?,
            max_concurrent_streams: values.get(&MAX_CONCURRENT_STREAMS)?,
            max_concurrent_calls: values.get(&MAX_CONCURRENT_CALLS)?,
            max_connections: values.get(&MAX_CONNECTIONS)?,
            handshake_timeout: values.get(&HANDSHAKE_TIMEOUT)?,
            max_connection_age: values.get(&MAX_CONNECTION_AGE)?,
            keepalive_interval: values.get(&KEEPALIVE_INTERVAL)?,
            keepalive_timeout: values.get(&KEEPALIVE_TIMEOUT)?,
            allow_anonymous: values.get(&ALLOW_ANONYMOUS)?,
            allow_plaintext: values.get(&ALLOW_PLAINTEXT)?,
            trusted_proxies: values.get(&TRUSTED_PROXIES)?,
            reload_interval: values.get(&RELOAD_INTERVAL)?,
        })
    }
}

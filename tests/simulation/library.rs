//! The gRPC library of a caller: connections to every replica, and the retries of the published service
//! config (docs/service_config.json).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use futures_util::TryStreamExt;
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{
    Code, Request, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;

use super::{
    history::{CallId, Event, History, Refusal, Told},
    network::Sockets,
    replica,
    wish::{self, Wish},
};

/// The retry policy of the service config.
const MAX_ATTEMPTS: u64 = 3;
const INITIAL_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a connection is pinged, and how long the answer may take.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// The library of one caller.
pub struct Library {
    caller: String,
    replicas: Vec<(String, TapeServiceClient<Channel>)>,
    next_call: Arc<AtomicU64>,
    history: History,
    rng: Rng,
}

/// What a call asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    Create(Wish),
    /// All tapes, from their first page on. If it is fresh, the call shares no read of another one.
    List {
        is_fresh: bool,
    },
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(wish) => f.write_str(&wish.asked()),
            Self::List { is_fresh: true } => f.write_str("a fresh list"),
            Self::List { is_fresh: false } => f.write_str("a list"),
        }
    }
}

impl Library {
    /// A library with a channel to each of these hosts.
    pub fn new(
        caller: String,
        hosts: &[String],
        next_call: Arc<AtomicU64>,
        history: History,
        rng: Rng,
    ) -> Self {
        let channel = |host: &String| {
            let endpoint = Endpoint::from_shared(format!("http://{host}:{}", replica::PORT)).unwrap();
            let endpoint = endpoint
                .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
                .keep_alive_timeout(KEEPALIVE_TIMEOUT)
                .keep_alive_while_idle(true);
            let channel = endpoint.connect_with_connector_lazy(Sockets {
                connect_timeout: CONNECT_TIMEOUT,
            });
            (host.clone(), TapeServiceClient::new(channel))
        };
        Self {
            caller,
            replicas: hosts.iter().map(channel).collect(),
            next_call,
            history,
            rng,
        }
    }

    /// Makes a call, at first to this replica, and returns how it ended. The caller cancels it after
    /// `patience`.
    pub async fn call(
        &mut self,
        asked: &Asked,
        first: usize,
        deadline: Duration,
        patience: Option<Duration>,
    ) -> Told {
        let call = CallId(self.next_call.fetch_add(1, Ordering::Relaxed) + 1);
        self.history.add(Event::Called {
            call,
            caller: self.caller.clone(),
            asked: asked.clone(),
            deadline,
        });
        let end = Instant::now() + deadline;
        let until = patience.map_or(end, |patience| end.min(Instant::now() + patience));
        let told = match timeout_at(until, self.attempts(call, asked, first, end)).await {
            Ok(told) => told,
            Err(_) if until < end => Told::Cancelled,
            Err(_) => Told::TimedOut,
        };
        self.history.add(Event::Told {
            call,
            told: told.clone(),
        });
        told
    }

    async fn attempts(&mut self, call: CallId, asked: &Asked, first: usize, end: Instant) -> Told {
        let mut backoff = INITIAL_BACKOFF;
        for attempt in 0.. {
            let place = (first + usize::try_from(attempt).unwrap()) % self.replicas.len();
            let (host, client) = &self.replicas[place];
            self.history.add(Event::Sent {
                call,
                replica: host.clone(),
            });
            let meta = Metadata { call, attempt, end };
            let status = match send(client.clone(), asked, meta).await {
                Ok(told) => return told,
                Err(status) => status,
            };
            let pushback = pushback(&status);
            if status.code() != Code::Unavailable || attempt + 1 == MAX_ATTEMPTS || pushback == Some(None) {
                return told(&status, end);
            }
            let pause = match pushback.flatten() {
                Some(asked) => asked,
                None => backoff.mul_f64(self.rng.f64()),
            };
            backoff = MAX_BACKOFF.min(backoff * 2);
            self.history.add(Event::Waits { call });
            sleep(pause).await;
        }
        unreachable!("the last attempt returns")
    }
}

/// What goes with an attempt.
struct Metadata {
    call: CallId,
    attempt: u64,
    end: Instant,
}

impl Metadata {
    fn of<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.end.saturating_duration_since(Instant::now()));
        let metadata = request.metadata_mut();
        metadata.insert("traceparent", self.call.trace().parse().unwrap());
        if self.attempt > 0 {
            metadata.insert("grpc-previous-rpc-attempts", self.attempt.into());
        }
        request
    }
}

async fn send(mut client: TapeServiceClient<Channel>, asked: &Asked, meta: Metadata) -> Result<Told, Status> {
    let made = match asked {
        Asked::Create(Wish::Tapes { token, prefix, count }) => {
            let request = meta.of(wish::tapes(token, prefix, *count));
            client.create_tapes(request).await?.into_inner().tape_arns
        }
        Asked::Create(Wish::Tape { barcode }) => {
            let request = meta.of(wish::tape(barcode));
            let created = client.create_tape_with_barcode(request).await?.into_inner();
            vec![created.tape_arn]
        }
        Asked::List { is_fresh } => {
            let mut request = meta.of(ListTapesRequest {
                limit: PAGE,
                ..Default::default()
            });
            if *is_fresh {
                let metadata = request.metadata_mut();
                metadata.insert("cache-control", "no-cache".parse().unwrap());
            }
            let pages: Vec<_> = client
                .list_tapes(request)
                .await?
                .into_inner()
                .try_collect()
                .await?;
            let rows = pages.into_iter().flat_map(|page| page.tape_infos);
            return Ok(Told::Listed(rows.map(|row| barcode(&row.tape_arn)).collect()));
        }
    };
    Ok(Told::Made(made.iter().map(|arn| barcode(arn)).collect()))
}

/// The tapes on a page of a list.
const PAGE: i32 = 3;

fn barcode(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or_default().to_owned()
}

/// How long the service asks the library to wait. An inner `None`: it must not retry.
fn pushback(status: &Status) -> Option<Option<Duration>> {
    let value = status.metadata().get("grpc-retry-pushback-ms")?;
    let millis = value.to_str().ok().and_then(|value| value.parse().ok());
    Some(millis.map(Duration::from_millis))
}

fn told(status: &Status, end: Instant) -> Told {
    let details = status.get_error_details();
    let Some(info) = details.error_info() else {
        // The timer of the library itself, which is that of the call.
        let is_timer = matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded);
        return match is_timer && Instant::now() + Duration::from_millis(2) >= end {
            true => Told::TimedOut,
            false => Told::Broken(format!("{:?}: {}", status.code(), status.message())),
        };
    };
    let said = |name: &str| info.metadata.get(name).cloned();
    Told::Failed(Refusal {
        code: format!("{:?}", status.code()),
        reason: info.reason.clone(),
        outcome: said("outcome"),
        retry: said("retry"),
        matches: said("matches"),
        delay: details.retry_info().and_then(|info| info.retry_delay),
    })
}

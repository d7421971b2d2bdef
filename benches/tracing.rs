//! What telemetry costs: calls of a service that exports traces beside those of one that exports
//! nothing and of one that exports traces, metrics and log records, in one run, by turns.
//!
//! The cost of a call is the processor time of the service. Calls per second are printed too, but
//! they include the callers, the emulator and the collector.
//!
//! Two services that export nothing show the noise of the run. What a call still does for traces
//! that nobody exports is timed alone.
//!
//! `cargo bench --bench tracing` prints the figures, and fails above what docs/operations.md promises.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reports to a person"
)]

#[path = "cost/src/collector.rs"]
mod collector;
mod process;

use std::{
    hint::black_box,
    io::{self, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use http::HeaderMap;
use opentelemetry::{Context, trace::SpanKind};
use process::Tapegate;
use tapegate::{
    grpc::proto::{DescribeTapesRequest, ListTapesRequest, tape_service_client::TapeServiceClient},
    observability::telemetry::{self, Directives, LogFormat, LogSettings, TraceSpan, propagation},
};
use tokio::net::TcpListener;
use tonic::{Request, transport::Channel};

const GATEWAY: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// The service that the promise is about.
const TRACES: &str = "traces";
const ROUNDS: usize = 40;
const CONNECTIONS: u32 = 4;
const AT_ONCE: u32 = 8;
/// Of each kind, in a round.
const CALLS: u32 = 400;

/// A collector that takes everything. It is not the service's process, and its work not the service's.
async fn start_collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(collector::serve(listener));
    format!("http://{address}")
}

/// What callers ask for.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Page,
    Tape,
}

const KINDS: [(Kind, &str); 2] = [
    (Kind::Page, "a page of 100 tapes"),
    (Kind::Tape, "one tape described"),
];

/// A service before this emulator, and its callers.
struct Service {
    process: Tapegate,
    clients: Vec<TapeServiceClient<Channel>>,
}

impl Service {
    async fn start(upstream: &str, variables: &[(&str, &str)]) -> Self {
        let process = Tapegate::run(
            Command::new(env!("CARGO_BIN_EXE_tapegate"))
                .args(["serve", "--region=us-east-1", "--allow-anonymous"])
                .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
                .arg(format!("--upstream-endpoint={upstream}"))
                .envs(variables.iter().copied())
                // Lines are written as everywhere, and nobody reads them.
                .stderr(Stdio::null()),
        );
        let connect = (0..CONNECTIONS).map(|_| TapeServiceClient::connect(process.url("grpc")));
        let clients = join_all(connect).await.into_iter().map(Result::unwrap);
        Self {
            clients: clients.collect(),
            process,
        }
    }

    /// The processor time and the time that many calls of a kind take.
    async fn calls(&self, kind: Kind) -> (Duration, Duration) {
        let before = (self.process.processor_time(), Instant::now());
        let callers = (0..AT_ONCE).map(|caller| {
            let client = &self.clients[caller as usize % self.clients.len()];
            async move {
                for _ in 0..CALLS / AT_ONCE {
                    call(client.clone(), kind, caller).await;
                }
            }
        });
        join_all(callers).await;
        (self.process.processor_time() - before.0, before.1.elapsed())
    }

    /// What became of the spans: ended, and dropped.
    fn spans(&self) -> (f64, f64) {
        let url = self.process.url("admin");
        let mut admin = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
        admin.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut text = String::new();
        admin.read_to_string(&mut text).unwrap();
        let count = |result: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with("tapegate_telemetry_spans_total{") && line.contains(result));
            line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
        };
        (count("ended"), count("dropped"))
    }
}

async fn call(mut client: TapeServiceClient<Channel>, kind: Kind, caller: u32) {
    match kind {
        Kind::Page => {
            // Each caller asks for something else, so that no page is shared.
            let limit = 100 + i32::try_from(caller).unwrap();
            let request = traced(ListTapesRequest {
                limit,
                max_items: limit.into(),
                ..Default::default()
            });
            let mut pages = client.list_tapes(request).await.unwrap().into_inner();
            while pages.message().await.unwrap().is_some() {}
        }
        Kind::Tape => {
            let request = traced(DescribeTapesRequest {
                gateway_arn: GATEWAY.into(),
                tape_arns: vec![format!(
                    "arn:aws:storagegateway:us-east-1:123456789012:tape/TST{caller:06}"
                )],
                ..Default::default()
            });
            let mut pages = client.describe_tapes(request).await.unwrap().into_inner();
            while pages.message().await.unwrap().is_some() {}
        }
    }
}

/// A call of an agent that is in a trace itself, and keeps it.
fn traced<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let traceparent = TRACEPARENT.parse().unwrap();
    request.metadata_mut().insert("traceparent", traceparent);
    request
}

/// What a call does for traces where none are made: it reads what its caller says, makes nothing of
/// three spans, and passes on what was said.
fn off_by_itself() -> Duration {
    const TIMES: u32 = 200_000;
    let log = LogSettings {
        filter: Directives::parse("info").unwrap(),
        format: LogFormat::Human,
        queue: 1,
        ok_percent: 100,
    };
    drop(telemetry::start(&log, None, io::sink).unwrap());
    let mut said = HeaderMap::new();
    said.insert("traceparent", TRACEPARENT.parse().unwrap());
    let began = Instant::now();
    for _ in 0..TIMES {
        let caller = propagation::extract(black_box(&said));
        for _ in 0..3 {
            let span = TraceSpan::begin_in(caller.clone(), black_box("a name"), SpanKind::Internal);
            assert!(!span.is_recorded());
            let _attached = span.context().clone().attach();
        }
        let _attached = caller.attach();
        black_box(propagation::headers(&Context::current()));
    }
    began.elapsed() / TIMES
}

#[tokio::main]
async fn main() {
    let emulator = Tapegate::emulator(&["--seed-tapes=1000"]);
    let (upstream, collector) = (emulator.url("emulator"), start_collector().await);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.as_str());
    let traces_alone = [
        endpoint,
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let services = [
        ("off", Service::start(&upstream, &[]).await),
        ("off again", Service::start(&upstream, &[]).await),
        (TRACES, Service::start(&upstream, &traces_alone).await),
        ("all signals", Service::start(&upstream, &[endpoint]).await),
    ];
    let mut least = f64::MAX;
    let mut cheapest = Duration::MAX;
    for (kind, what) in KINDS {
        let mut sums = [(Duration::ZERO, Duration::ZERO); 4];
        for round in 0..=ROUNDS {
            for turn in 0..services.len() {
                // By turns, and each first as often.
                let number = (round + turn) % services.len();
                let (processor, time) = services[number].1.calls(kind).await;
                // The first round warms up.
                if round > 0 {
                    sums[number].0 += processor;
                    sums[number].1 += time;
                }
            }
        }
        let off = (sums[0].0 + sums[1].0) / 2;
        let calls = CALLS * u32::try_from(ROUNDS).unwrap();
        for ((name, _), (processor, time)) in services.iter().zip(sums) {
            let throughput = off.as_secs_f64() / processor.as_secs_f64();
            println!(
                "{what}, {name}: {:?} of the processor, {:+.1} % throughput; {:.0} calls a second here",
                processor / calls,
                (throughput - 1.0) * 100.0,
                f64::from(calls) / time.as_secs_f64()
            );
            if *name == TRACES {
                least = least.min(throughput);
            }
        }
        cheapest = cheapest.min(off / calls);
    }
    for (name, service) in &services {
        let (ended, dropped) = service.spans();
        println!("{name}: {ended:.0} spans, {dropped:.0} of them dropped");
    }
    let left = off_by_itself();
    println!("what is left of tracing in a call where it is off: {left:?}");
    assert!(least >= 0.85, "traces cost too much");
    assert!(left <= cheapest / 100, "no traces cost too much");
}

//! The memory of the running program beside the formula of docs/operations.md.

use std::{net::SocketAddr, time::Duration};

use prost::Message;
use serde_json::Value;
use tapegate::{app::Held, grpc::proto::ListTapesRequest};
use tokio::time::sleep;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    harness::{
        Program, Reply, Site, Upstream, client_config, get,
        http2::{self, Reader, Writer},
        tls_channel,
    },
    pagination::full_page,
};

const CONNECTIONS: u32 = 1000;
const CALLS: u32 = 1000;
const CALLS_PER_CONNECTION: u32 = 100;
const REQUESTS: u32 = 50;
const REQUEST_BYTES: usize = 1_000_000;

/// One part of the formula: what is held, and the memory that it takes, in KiB.
struct Measured {
    what: &'static str,
    resident: i64,
    by_formula: i64,
}

fn compare(what: &'static str, resident: i64, number: u32, bytes_of_each: u64) -> Measured {
    Measured {
        what,
        resident,
        by_formula: i64::try_from(u64::from(number) * bytes_of_each / 1024).unwrap(),
    }
}

fn start(upstream: &Upstream, more: &[String]) -> Program {
    let endpoint = format!("--upstream-endpoint={}", upstream.endpoint());
    let flags = [
        "serve",
        "--allow-anonymous",
        "--region=us-east-1",
        "--max-connections-per-address=5000",
        "--upstream-max-connections=2000",
        "--limits-concurrent-streams=5000",
        "--send-timeout=10m",
        "--upstream-attempt-timeout=10m",
        "--upstream-operation-timeout=10m",
        "--log-filter=off",
        &endpoint,
    ];
    let more = more.iter().map(String::as_str);
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
    ];
    Program::start(&flags.into_iter().chain(more).collect::<Vec<_>>(), keys)
}

fn address(program: &Program) -> SocketAddr {
    program.grpc.strip_prefix("http://").unwrap().parse().unwrap()
}

/// The memory of the program in KiB when it has not grown for some seconds; on a busy machine it pauses.
async fn settled(program: &Program) -> i64 {
    let mut last = program.resident();
    let mut calm = 0;
    while calm < 4 {
        sleep(Duration::from_secs(1)).await;
        let now = program.resident();
        calm = if (now - last).abs() < 256 { calm + 1 } else { 0 };
        last = now;
    }
    last
}

/// Makes calls whose responses the client does not read, and waits until AWS was asked for all.
async fn call(program: &Program, upstream: &Upstream, calls: u32) -> Vec<(Writer, Reader)> {
    let asked = upstream.asked().len();
    let mut connections = Vec::new();
    for _ in 0..calls / CALLS_PER_CONNECTION {
        let (mut writer, reader) = http2::connect(address(program), 0, None).await;
        for number in 0..CALLS_PER_CONNECTION {
            let stream = 2 * number + 1;
            writer
                .head(stream, "ListTapes", &[("cache-control", "no-cache")])
                .await;
            writer
                .message(stream, &ListTapesRequest::default().encode_to_vec())
                .await;
        }
        connections.push((writer, reader));
    }
    upstream.was_asked(asked + calls as usize).await;
    connections
}

/// How the memory grows with calls of this upstream, after some that warm the program up, and the bytes that
/// wait for their readers then, in KiB.
async fn of_calls(upstream: &Upstream) -> (i64, i64) {
    let program = start(upstream, &[]);
    let _warm = call(&program, upstream, CALLS_PER_CONNECTION).await;
    let (before, unread_before) = (settled(&program).await, unread(&program).await);
    let _held = call(&program, upstream, CALLS).await;
    let (after, unread_after) = (settled(&program).await, unread(&program).await);
    (after - before, unread_after - unread_before)
}

/// How the memory grows with requests of which a part of so many bytes has arrived.
async fn of_requests(upstream: &Upstream, requests: u32, bytes: usize) -> i64 {
    let program = start(upstream, &[]);
    let mut held = Vec::new();
    let mut hold = async |requests| {
        for _ in 0..requests {
            let (mut writer, mut reader) = http2::connect(address(&program), 0, None).await;
            writer.head(1, "DescribeTapes", &[]).await;
            let announced = u32::try_from(bytes).unwrap().to_be_bytes();
            let head = [&[0], &announced[..]].concat();
            writer.frame(http2::DATA, 0, 1, &head).await.unwrap();
            http2::send_part(&mut writer, &mut reader, bytes - 10_000).await;
            held.push((writer, reader));
        }
    };
    hold(2).await;
    let before = settled(&program).await;
    hold(requests).await;
    settled(&program).await - before
}

/// The bytes that wait for their readers, in KiB.
async fn unread(program: &Program) -> i64 {
    let (_, metrics) = get(&format!("{}/metrics", program.admin)).await;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tapegate_server_unread_bytes"));
    let bytes: f64 = line
        .and_then(|line| line.split(' ').next_back())
        .unwrap()
        .parse()
        .unwrap();
    bytes as i64 / 1024
}

/// How the memory grows with connections that are idle after a call.
async fn of_connections(program: &Program, mut connect: impl AsyncFnMut() -> Channel) -> i64 {
    let mut held = Vec::new();
    let mut open = async |connections| {
        for _ in 0..connections {
            let channel = connect().await;
            let mut health = HealthClient::new(channel.clone());
            health.check(HealthCheckRequest::default()).await.unwrap();
            held.push(channel);
        }
    };
    open(CONNECTIONS / 10).await;
    let before = settled(program).await;
    open(CONNECTIONS).await;
    settled(program).await - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures memory; tests/soak/run runs it"]
async fn the_memory_of_connections_calls_and_pages_is_that_of_the_formula() {
    let silent = Upstream::answering(|_| std::future::pending()).await;
    // The last page, so that the service asks for no further one.
    let mut last = full_page(0, 1000);
    last["Marker"] = Value::Null;
    let answers = Upstream::always(Reply::ok(&last)).await;
    let endless = Upstream::always(Reply::ok(&last).without_end()).await;
    let (calls, _) = of_calls(&silent).await;
    let (responses, _) = of_calls(&endless).await;
    let (pages, unread) = of_calls(&answers).await;
    let arriving = of_requests(&silent, REQUESTS, REQUEST_BYTES).await;

    let program = start(&silent, &[]);
    let base = settled(&program).await;
    let endpoint = Endpoint::from_shared(program.grpc.clone()).unwrap();
    let plain = of_connections(&program, async || endpoint.connect().await.unwrap()).await;
    drop(program);

    let site = Site::new();
    let tls = ["cert", "key"].map(|part| {
        let file = site.path(if part == "cert" {
            "server.pem"
        } else {
            "server.key"
        });
        format!("--tls-{part}={}", file.display())
    });
    let program = start(&silent, &tls);
    let config = client_config(&site.ca.pem(), None);
    let to = address(&program);
    let tls = of_connections(&program, async || tls_channel(to, config.clone())).await;

    let measured = [
        compare("the program", base, 1, Held::BASE),
        compare("connections", plain, CONNECTIONS, Held::PLAIN_CONNECTION),
        compare("connections with TLS", tls, CONNECTIONS, Held::TLS_CONNECTION),
        compare("calls that wait for AWS", calls, CALLS, Held::CALL),
        compare(
            "calls whose page is coming from AWS",
            responses,
            CALLS,
            Held::RESPONSE,
        ),
        compare("calls whose page waits for its reader", pages, CALLS, Held::PAGE),
        compare("what of these is not read", unread, CALLS, Held::UNREAD),
        compare(
            "requests that arrive",
            arriving,
            REQUESTS,
            u64::try_from(REQUEST_BYTES).unwrap(),
        ),
    ];
    for one in &measured {
        println!(
            "{}: {} KiB, by the formula {} KiB",
            one.what, one.resident, one.by_formula
        );
    }
    for one in &measured {
        let off = (one.resident - one.by_formula).abs();
        assert!(
            off * 5 <= one.by_formula,
            "{} differ by more than a fifth",
            one.what
        );
    }
}

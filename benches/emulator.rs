//! Whether the emulator keeps up: the processor time that a page of 100 tapes costs the
//! emulator, beside what it costs the SDK that asks for it. The emulator is never the
//! bottleneck of a benchmark as long as its share is the smaller one.
//!
//! `cargo bench --bench emulator` prints both, of one run. Absolute times say little.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reports to a person"
)]

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aws_credential_types::Credentials;
use aws_sdk_storagegateway::{
    Client,
    config::{BehaviorVersion, Builder, Region, retry::RetryConfig},
};
use futures_util::future::join_all;

const CALLS: u32 = 8_000;
const AT_ONCE: u32 = 8;

/// `tapegate emulator` in a process of its own, which ends with this.
struct Emulator {
    child: Child,
    endpoint: String,
}

impl Emulator {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tapegate"))
            .args([
                "emulator",
                "--listen=127.0.0.1:0",
                "--seed-tapes=100000",
                "--log-filter=warn",
            ])
            .env("TAPEGATE_EMULATOR_ACCESS_KEY_ID", "AKIDBENCH")
            .env("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", "secret-of-the-benchmark")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let address = first.trim().strip_prefix("listening emulator=").unwrap();
        Self {
            endpoint: format!("http://{address}"),
            child,
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The processor time of a process so far, to a hundredth of a second (Linux's clock tick).
fn processor_time(process: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn client(endpoint: &str) -> Client {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(
            "AKIDBENCH",
            "secret-of-the-benchmark",
            None,
            None,
            "bench",
        ))
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// Walks over pages, each by the marker of the one before.
async fn walk(client: &Client, calls: u32) {
    let mut marker = None;
    for _ in 0..calls {
        let page = client
            .list_tapes()
            .set_marker(marker)
            .limit(100)
            .send()
            .await
            .unwrap();
        assert_eq!(page.tape_infos().len(), 100);
        marker = page.marker;
    }
}

#[tokio::main]
async fn main() {
    let emulator = Emulator::start();
    let client = client(&emulator.endpoint);
    walk(&client, 200).await;

    let server = emulator.child.id().to_string();
    let before = (processor_time(&server), processor_time("self"), Instant::now());
    join_all((0..AT_ONCE).map(|_| walk(&client, CALLS / AT_ONCE))).await;
    let took = (
        processor_time(&server) - before.0,
        processor_time("self") - before.1,
        before.2.elapsed(),
    );

    println!(
        "{CALLS} pages of 100 tapes, {AT_ONCE} at a time, {:.0} pages a second",
        f64::from(CALLS) / took.2.as_secs_f64()
    );
    println!(
        "processor time of a page: emulator {:?}, SDK {:?}",
        took.0 / CALLS,
        took.1 / CALLS
    );
    assert!(took.0 <= took.1, "the emulator is slower than the SDK can ask");
}

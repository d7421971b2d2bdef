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

mod process;

use std::time::Instant;

use aws_credential_types::Credentials;
use aws_sdk_storagegateway::{
    Client,
    config::{BehaviorVersion, Builder, Region, retry::RetryConfig},
};
use futures_util::future::join_all;

use process::{CREDENTIALS, Tapegate, processor_time};

const CALLS: u32 = 8_000;
const AT_ONCE: u32 = 8;

fn client(endpoint: &str) -> Client {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(
            CREDENTIALS.0,
            CREDENTIALS.1,
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
    let emulator = Tapegate::emulator(&["--seed-tapes=100000"]);
    let client = client(&emulator.url("emulator"));
    walk(&client, 200).await;

    let before = (
        emulator.processor_time(),
        processor_time(std::process::id()).unwrap(),
        Instant::now(),
    );
    join_all((0..AT_ONCE).map(|_| walk(&client, CALLS / AT_ONCE))).await;
    let took = (
        emulator.processor_time() - before.0,
        processor_time(std::process::id()).unwrap() - before.1,
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

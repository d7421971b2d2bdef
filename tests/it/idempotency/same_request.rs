//! Every retry of a create sends the same request, byte for byte, with the caller's token.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::json;
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, Tag, create_tape_with_barcode_request,
    create_tapes_request,
};
use tokio::runtime::Runtime;

use super::{
    aws::{BARCODE, failed, refused},
    setting,
};
use crate::harness::{Asked, GATEWAY, Reply, SIZE, Service, Upstream};

fn lost() -> impl Strategy<Value = Reply> {
    let throttled = Reply::aws(
        400,
        &json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }),
    );
    let lost = [
        failed(),
        throttled,
        Reply::text(502, "text/html", "<html>"),
        Reply::text(504, "text/plain", ""),
        refused("GatewayInternalError"),
        refused("OperationAborted"),
    ];
    prop::sample::select(lost.to_vec())
}

fn tags() -> impl Strategy<Value = Vec<Tag>> {
    let tags = prop::collection::btree_map("[a-z]{1,8}", "[a-zé =]{0,8}", 0..4);
    tags.prop_map(|tags| tags.into_iter().map(|(key, value)| Tag { key, value }).collect())
}

fn tapes() -> impl Strategy<Value = CreateTapesRequest> {
    let pool = prop::option::of("pool-[0-9A-F]{8}".prop_map(create_tapes_request::Pool::CustomPoolId));
    let parts = (
        "[!-~]{5,100}",
        1..=10_i32,
        "[A-Z]{1,4}",
        0..9_i64,
        pool,
        any::<Option<bool>>(),
        tags(),
    );
    parts.prop_map(
        |(client_token, num_tapes_to_create, tape_barcode_prefix, gib, pool, worm, tags)| {
            CreateTapesRequest {
                gateway_arn: GATEWAY.into(),
                tape_size_in_bytes: SIZE + (gib << 30),
                client_token,
                num_tapes_to_create,
                tape_barcode_prefix,
                pool,
                worm,
                tags,
                ..Default::default()
            }
        },
    )
}

fn tape() -> impl Strategy<Value = CreateTapeWithBarcodeRequest> {
    let pool = "pool-[0-9A-F]{8}".prop_map(create_tape_with_barcode_request::Pool::CustomPoolId);
    let parts = (0..9_i64, prop::option::of(pool), any::<Option<bool>>(), tags());
    parts.prop_map(|(gib, pool, worm, tags)| CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE + (gib << 30),
        tape_barcode: BARCODE.into(),
        pool,
        worm,
        tags,
        ..Default::default()
    })
}

fn runner() -> TestRunner {
    let cases = setting("PROPTEST_CASES", 64).try_into().unwrap();
    TestRunner::new(Config {
        cases,
        ..Config::default()
    })
}

/// A service before an upstream that answers creates with what is in the script.
struct Bench {
    runtime: Runtime,
    service: Service,
    upstream: Upstream,
    script: Arc<Mutex<VecDeque<Reply>>>,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let script = Arc::new(Mutex::new(VecDeque::new()));
        let replies = script.clone();
        let (service, upstream) = runtime.block_on(async {
            let upstream = Upstream::answering(move |asked| {
                let reply = replies.lock().unwrap().pop_front();
                std::future::ready(reply.unwrap_or_else(|| Reply::ok(&asked.created())))
            });
            let upstream = upstream.await;
            let flags = [
                "--retry-attempts=6",
                "--retry-base=1ms",
                "--retry-cap=1ms",
                "--retry-budget-reserve=10000",
                "--pace-floor=1000",
            ];
            (Service::over(&upstream, &flags).await, upstream)
        });
        Self {
            runtime,
            service,
            upstream,
            script,
        }
    }

    /// What was sent for a call whose first attempts are lost like this.
    fn sent(&self, lost: Vec<Reply>, call: impl AsyncFnOnce(&Service)) -> Vec<Asked> {
        let before = self.upstream.asked().len();
        *self.script.lock().unwrap() = lost.into();
        self.runtime.block_on(call(&self.service));
        self.upstream.asked().split_off(before)
    }
}

#[test]
fn every_retry_of_create_tapes_sends_the_same_request_with_the_callers_token() {
    let bench = Bench::new();
    let law = runner().run(&(tapes(), vec(lost(), 0..5)), |(request, lost)| {
        let (token, attempts) = (request.client_token.clone(), lost.len() + 1);
        let sent = bench.sent(lost, async |service| {
            service.client().create_tapes(request).await.unwrap();
        });
        prop_assert_eq!(sent.len(), attempts);
        for asked in &sent {
            prop_assert_eq!(&asked.operation, "CreateTapes");
            prop_assert_eq!(&asked.body["ClientToken"], &json!(token));
            prop_assert_eq!(&asked.bytes, &sent[0].bytes);
        }
        Ok(())
    });
    law.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn every_retry_of_create_tape_with_barcode_sends_the_same_request() {
    let bench = Bench::new();
    let law = runner().run(&(tape(), vec(lost(), 0..5)), |(request, lost)| {
        let attempts = lost.len() + 1;
        let sent = bench.sent(lost, async |service| {
            service.client().create_tape_with_barcode(request).await.unwrap();
        });
        prop_assert_eq!(sent.len(), attempts);
        for asked in &sent {
            prop_assert_eq!(&asked.operation, "CreateTapeWithBarcode");
            prop_assert_eq!(&asked.bytes, &sent[0].bytes);
        }
        Ok(())
    });
    law.unwrap_or_else(|failure| panic!("{failure}"));
}

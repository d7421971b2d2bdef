//! A machine whose clock is wrong, or was corrected a moment ago.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use tapegate::grpc::proto::CreateTapeWithBarcodeRequest;
use tapegate_emulator::{Credentials, Emulator, Settings};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, transport::Endpoint};

use super::list;
use crate::harness::{GATEWAY, Program, Reply, SIZE, Service, Upstream};

/// An emulator that judges signatures, by a clock that can be put off.
struct Clocked {
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl Clocked {
    async fn start() -> Self {
        let emulator = Emulator::new(Settings {
            credentials: vec![Credentials {
                access_key_id: "AKIDTEST".into(),
                secret_access_key: "secret-of-the-tests".to_owned().into(),
                session_token: None,
                account_id: None,
            }],
            seed_tapes: 0,
            ..Settings::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            emulator.serve(listener, std::future::pending()).await.unwrap();
        });
        Self {
            address,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on its clock is so far ahead of this machine's, as if that were behind.
    async fn is_ahead_by(&self, seconds: i64) {
        self.faults("DELETE", Bytes::new()).await;
        let rule = json!({ "kind": "clock-skew", "seconds": seconds });
        self.faults("POST", rule.to_string().into()).await;
    }

    async fn faults(&self, method: &str, body: Bytes) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}/_emulator/faults", self.address))
            .body(Full::new(body))
            .unwrap();
        assert_eq!(client.request(request).await.unwrap().status(), 200);
    }
}

fn once() -> (Code, String) {
    (Code::Ok, "1".to_owned())
}

fn twice() -> (Code, String) {
    (Code::Ok, "2".to_owned())
}

#[tokio::test]
async fn a_wrong_clock_and_its_correction_cost_one_attempt_each() {
    let emulator = Clocked::start().await;
    let service = Service::at(&emulator.endpoint(), &[]).await;
    assert_eq!(list(service.channel(), 1).await, once());
    for seconds in [3600, -3600, 0, -86_400, 600, 0] {
        emulator.is_ahead_by(seconds).await;
        assert_eq!(list(service.channel(), 1).await, twice(), "{seconds}");
        assert_eq!(list(service.channel(), 1).await, once(), "{seconds}");
    }
    assert_eq!(service.admin("/readyz").await.0, 200);
}

/// What was refused was not applied, so the repeat of a create finds nothing of itself.
#[tokio::test]
async fn a_create_is_retried_once_after_clock_skew() {
    let emulator = Clocked::start().await;
    let service = Service::at(&emulator.endpoint(), &[]).await;
    emulator.is_ahead_by(3600).await;
    let request = CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: "CLOCK001".into(),
        ..Default::default()
    };
    service.client().create_tape_with_barcode(request).await.unwrap();
}

fn refused(seconds_ahead: i64) -> Reply {
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds_ahead);
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    Reply::aws(
        400,
        &json!({ "__type": "InvalidSignatureException", "message": "Signature expired: no" }),
    )
    .with("date", date)
}

fn none() -> Reply {
    Reply::ok(&json!({ "TapeInfos": [] }))
}

/// AWS has one code for a stale date and for a wrong secret.
#[tokio::test]
async fn a_rejected_signature_with_a_correct_clock_is_not_retried() {
    for seconds in [0, 200, -200] {
        let upstream = Upstream::always(refused(seconds)).await;
        let service = Service::over(&upstream, &[]).await;
        assert_eq!(list(service.channel(), 1).await, (Code::Internal, "1".to_owned()));
        assert_eq!(service.admin("/readyz").await.0, 503);
    }
}

#[tokio::test]
async fn readiness_changes_only_when_the_correction_does_not_help() {
    let (held, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let upstream = {
        let (held, go, count) = (held.clone(), go.clone(), AtomicU32::new(0));
        Upstream::answering(move |_| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let (held, go) = (held.clone(), go.clone());
            async move {
                match number {
                    0 => refused(3600),
                    1 => {
                        held.notify_one();
                        go.notified().await;
                        none()
                    }
                    // A clock that nobody can follow.
                    number => refused(3600 * i64::from(number)),
                }
            }
        })
    }
    .await;
    let service = Service::over(&upstream, &["--upstream-credentials-pause=1h"]).await;
    let channel = service.channel();
    let listed = tokio::spawn(async move { list(channel, 1).await });
    held.notified().await;
    assert_eq!(
        service.admin("/readyz").await.0,
        200,
        "the repeat is still to answer"
    );
    go.notify_one();
    assert_eq!(listed.await.unwrap(), twice());

    assert_eq!(list(service.channel(), 1).await, (Code::Internal, "2".to_owned()));
    let (status, body) = service.admin("/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("clock"), "{body}");
}

/// RequestExpired says that it is the clock, whatever the dates say.
#[tokio::test]
async fn an_expired_request_is_retried_once() {
    let expired = Reply::aws(400, &json!({ "__type": "RequestExpired", "message": "old" }));
    let upstream = Upstream::script([expired.clone(), none(), expired.clone(), expired]).await;
    let service = Service::over(&upstream, &["--retry-cap=60s", "--retry-base=60s"]).await;
    assert_eq!(list(service.channel(), 1).await, twice());
    assert_eq!(
        list(service.channel(), 1).await,
        (Code::Unavailable, "2".to_owned())
    );
}

#[tokio::test]
async fn a_clock_that_becomes_wrong_or_right_again_is_logged_once() {
    let emulator = Clocked::start().await;
    let mut program = Program::over(&emulator.endpoint(), "info");
    let channel = Endpoint::from_shared(program.grpc.clone())
        .unwrap()
        .connect_lazy();
    let clock = "this machine's clock";
    emulator.is_ahead_by(3600).await;
    for _ in 0..3 {
        list(channel.clone(), 1).await;
    }
    let line = program.logged(clock).await;
    assert!(line.contains("WARN") && line.contains("set the clock"), "{line}");
    assert!(
        line.contains("seconds_off=3") && line.contains("is_behind=true"),
        "{line}"
    );
    emulator.is_ahead_by(0).await;
    for _ in 0..3 {
        list(channel.clone(), 1).await;
    }
    let line = program.logged(clock).await;
    assert!(line.contains("INFO") && line.contains("agrees"), "{line}");
}

/// Who switched the SDK's correction off is not promised that it helps.
#[tokio::test]
async fn nothing_is_retried_when_the_correction_is_off() {
    let emulator = Clocked::start().await;
    emulator.is_ahead_by(3600).await;
    let variables = [
        ("TAPEGATE_LOG_FILTER", "warn"),
        ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
        ("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "true"),
    ];
    let mut program = Program::serve(&emulator.endpoint(), variables);
    let channel = Endpoint::from_shared(program.grpc.clone())
        .unwrap()
        .connect_lazy();
    for _ in 0..2 {
        assert_eq!(list(channel.clone(), 1).await, (Code::Internal, "1".to_owned()));
    }
    let line = program.logged("this machine's clock").await;
    assert!(line.contains("switched off"), "{line}");
}

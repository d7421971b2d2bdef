//! Creates whose caller cancels: a sent request runs to its end, nothing more is sent, and the
//! result is logged and counted.

use std::{sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use tapegate::{
    access::AuthorizedCall,
    domain::{
        CreateTapeWithBarcode, CreateTapes, Encryption, Fault, NewTape, Outcome, TapeSize, TapeSizeBounds,
    },
    grpc::proto::tape_service_client::TapeServiceClient,
    network::NetworkSettings,
    upstream::{
        self, Shared, idempotency, pace, retry, retry_budget,
        sdk::{self, Clients},
        stack,
    },
};
use tokio::sync::Notify;
use tower::{ServiceExt, service_fn};

use super::aws::{Aws, BARCODE, failed, made, refused, tape};
use crate::harness::{GATEWAY, Program, SIZE, Upstream, one_new_tape, transport};

/// How long nothing of a test takes.
const LONG: Duration = Duration::from_secs(3600);

/// The stacks of a service, where its callers can be dropped at any moment, and what they count
/// can be read.
struct Stacks {
    shared: Shared,
    upstream: upstream::Upstream,
}

impl Stacks {
    /// Before this endpoint; a create may take so long, and pauses between attempts have no end.
    async fn over(endpoint: String, create_timeout: Duration) -> Self {
        let region = "us-east-1".parse().unwrap();
        let settings = sdk::SdkSettings {
            endpoint: Some(endpoint),
            sts_endpoint: None,
            endpoints: Vec::new(),
            accounts: Vec::new(),
            max_caller_sessions: 1,
            credentials: Some(Credentials::new(
                "AKIDTEST",
                "secret-of-the-tests",
                None,
                None,
                "tests",
            )),
            connect_timeout: LONG,
            attempt_timeout: LONG,
            credentials_pause: LONG,
            max_answer_bytes: 1 << 20,
            network: NetworkSettings::default(),
        };
        let http_client = sdk::http_client(&settings).unwrap();
        let clients = Clients::new(&settings, http_client, &region, [region.clone()]).await;
        let settings = upstream::UpstreamSettings {
            attempt_timeout: LONG,
            create_timeout,
            operation_timeout: LONG,
            max_connections: 10,
            retry: retry::RetrySettings {
                attempts: 4,
                base: LONG,
                throttled_base: LONG,
                cap: LONG,
                budget: retry_budget::RetryBudgetSettings {
                    calls_per_retry: 1,
                    reserve: 100,
                },
            },
            pace: pace::PaceSettings::default(),
            by_account: false,
            per_caller: Default::default(),
            add_tags: false,
        };
        let shared = transport::shared(settings);
        Self {
            upstream: upstream::Upstream::new(&shared, &sdk::Sdk::new(Arc::new(clients))),
            shared,
        }
    }

    fn call(&self) -> AuthorizedCall<CreateTapeWithBarcode> {
        let sizes = TapeSizeBounds::gib(100, 15 * 1024).unwrap();
        let operation = CreateTapeWithBarcode {
            barcode: BARCODE.parse().unwrap(),
            tape: NewTape {
                gateway: GATEWAY.parse().unwrap(),
                size: TapeSize::new(SIZE, &sizes).unwrap(),
                encryption: Encryption::default(),
                pool: None,
                worm: None,
                tags: Arc::new([]),
            },
        };
        transport::call(operation, LONG)
    }

    /// Creates, and leaves when this has happened.
    async fn create_until(
        &self,
        call: AuthorizedCall<CreateTapeWithBarcode>,
        left: impl Future<Output = ()>,
    ) {
        let settings = idempotency::ReconcileSettings {
            clock_skew: Duration::from_secs(60),
            resend_window: Duration::from_secs(600),
        };
        tokio::select! {
            answer = idempotency::create_with_barcode(&self.upstream, settings, call) => panic!("{answer:?}"),
            () = left => {}
        }
    }

    /// Waits as a stop does, and says how many creates ended unheard.
    async fn end(self) -> u64 {
        self.shared.sent_creates.close();
        self.shared.sent_creates.wait().await;
        self.shared.metrics.creates_orphaned.get()
    }
}

#[tokio::test]
async fn a_sent_create_runs_to_its_end_and_is_not_retried_when_the_caller_cancels() {
    for reply in [made(), failed(), refused("InvalidParameters")] {
        let go = Arc::new(Notify::new());
        let wait = go.clone();
        let upstream = Upstream::answering(move |_| {
            let (wait, reply) = (wait.clone(), reply.clone());
            async move {
                wait.notified().await;
                reply
            }
        });
        let upstream = upstream.await;
        let stacks = Stacks::over(upstream.endpoint(), LONG).await;
        stacks.create_until(stacks.call(), upstream.was_asked(1)).await;
        assert_eq!(stacks.shared.sent_creates.len(), 1);
        assert_eq!(stacks.shared.metrics.creates_orphaned.get(), 0);
        go.notify_one();
        assert_eq!(stacks.end().await, 1);
        assert_eq!(upstream.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_sent_create_ends_at_its_timeout_when_aws_hangs() {
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let stacks = Stacks::over(upstream.endpoint(), Duration::from_millis(100)).await;
    stacks.create_until(stacks.call(), upstream.was_asked(1)).await;
    assert_eq!(stacks.end().await, 1);
}

#[tokio::test]
async fn a_create_cancelled_between_attempts_is_counted() {
    let upstream = Aws::answering(&[failed()]).serve().await;
    let stacks = Stacks::over(upstream.endpoint(), LONG).await;
    let call = stacks.call();
    let live = call.live.clone();
    let failed = async {
        while !live.is_between_attempts() {
            tokio::task::yield_now().await;
        }
    };
    stacks.create_until(call, failed).await;
    assert_eq!(live.abandon(), Outcome::Unknown);
    assert_eq!(stacks.end().await, 1);
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn a_create_cancelled_during_the_look_up_is_counted() {
    let upstream = Upstream::answering(|asked| async move {
        match asked.operation.as_str() {
            "CreateTapeWithBarcode" => refused("InvalidParameters"),
            _ => std::future::pending().await,
        }
    });
    let upstream = upstream.await;
    let stacks = Stacks::over(upstream.endpoint(), LONG).await;
    stacks.create_until(stacks.call(), upstream.was_asked(2)).await;
    assert_eq!(stacks.end().await, 1);
}

#[tokio::test]
async fn a_create_whose_caller_gets_the_result_is_not_counted() {
    for reply in [made(), refused("InvalidParameters"), refused("GatewayNotFound")] {
        let upstream = Aws::answering(&[reply]).serve().await;
        let stacks = Stacks::over(upstream.endpoint(), LONG).await;
        let settings = idempotency::ReconcileSettings {
            clock_skew: Duration::ZERO,
            resend_window: Duration::ZERO,
        };
        let _ = idempotency::create_with_barcode(&stacks.upstream, settings, stacks.call()).await;
        assert_eq!(stacks.end().await, 0);
    }
}

#[tokio::test]
async fn a_cancelled_create_is_logged_with_its_token_or_barcode() {
    let upstream = Aws::answering(&[failed()]).serve().await;
    let variables = [
        ("TAPEGATE_RETRY_BASE", "60s"),
        ("TAPEGATE_RETRY_CAP", "60s"),
        ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
    ];
    let mut program = Program::serve(&upstream.endpoint(), variables);
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let barcode = format!("barcode {BARCODE}");
    for (asked, token) in [(1, false), (2, true)] {
        let mut client = client.clone();
        let tapes = one_new_tape("token-of-the-test");
        let call = tokio::spawn(async move {
            match token {
                true => client.create_tapes(tapes).await.map(drop),
                false => client.create_tape_with_barcode(tape()).await.map(drop),
            }
        });
        upstream.was_asked(asked).await;
        call.abort();
        let line = program.logged("its caller had cancelled or disconnected").await;
        let found = if token {
            "client token token-of-the-test"
        } else {
            &barcode
        };
        for part in [
            found,
            GATEWAY,
            "request-of-the-test",
            "unknown",
            "InternalServerError",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
    // It is well, and has sent no more.
    client
        .list_tapes(tapegate::grpc::proto::ListTapesRequest::default())
        .await
        .unwrap();
    assert_eq!(upstream.asked().len(), 3);
}

#[tokio::test]
async fn a_panic_of_a_sent_create_is_recorded_with_its_call() {
    let shared = transport::shared(transport::settings());
    let broken = service_fn(|call: AuthorizedCall<CreateTapes>| async move {
        assert!(call.operation.count == 0, "of the test");
        Ok(transport::created("NEW"))
    });
    let call = transport::call(transport::create("token-of-a-panic"), LONG);
    let context = call.context.clone();
    let failure = stack::<CreateTapes>(&shared, broken)
        .oneshot(call)
        .await
        .unwrap_err();
    assert!(matches!(failure.fault, Fault::Internal { .. }), "{failure:?}");
    assert_eq!((failure.outcome, failure.attempts.count), (Outcome::Unknown, 1));
    assert!(context.facts().panicked);
    assert_eq!(shared.sent_creates.len(), 0);
}

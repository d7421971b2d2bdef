//! What is told about a create whose call ends early: the error, the log, the audit record and the
//! metrics agree, for each way in which it can end.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tapegate::grpc::proto::{CreateTapeWithBarcodeRequest, tape_service_client::TapeServiceClient};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tonic::{Code, Request, Status};

use crate::harness::{GATEWAY, Program, Reply, SIZE, Upstream, get, one_new_tape, refusal};

/// How far the request of the create comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sent {
    /// The TLS handshake with AWS is never answered.
    No,
    /// AWS has the request, and responds when the test allows it.
    Yes,
    /// AWS closes the connection without a response.
    Reset,
}

/// What ends the call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Cancel,
    Deadline,
    Shutdown,
    /// AWS does.
    Upstream,
}

/// A way in which a create can end, and what must be told of it.
struct Case {
    sent: Sent,
    end: End,
    /// Code and reason of the error, and whether the message says that tapes may exist; `None` if nobody is
    /// there to receive it.
    error: Option<(Code, &'static str)>,
    outcome: &'static str,
    /// `call_ended` in the line about the sent request, and its text; `None` if there is no such line.
    late: Option<(&'static str, &'static str)>,
}

const CASES: [Case; 7] = [
    Case {
        sent: Sent::No,
        end: End::Cancel,
        error: None,
        outcome: "not_applied",
        late: None,
    },
    Case {
        sent: Sent::Yes,
        end: End::Cancel,
        error: None,
        outcome: "unknown",
        late: Some((
            "its caller had cancelled or disconnected",
            "a create succeeded after its call had ended",
        )),
    },
    Case {
        sent: Sent::No,
        end: End::Deadline,
        error: Some((Code::DeadlineExceeded, "DEADLINE_EXCEEDED")),
        outcome: "not_applied",
        late: None,
    },
    Case {
        sent: Sent::Yes,
        end: End::Deadline,
        error: Some((Code::DeadlineExceeded, "DEADLINE_EXCEEDED")),
        outcome: "unknown",
        late: Some(("at its deadline", "a create succeeded after its call had ended")),
    },
    Case {
        sent: Sent::No,
        end: End::Shutdown,
        error: Some((Code::Unavailable, "SHUTTING_DOWN")),
        outcome: "not_applied",
        late: None,
    },
    Case {
        sent: Sent::Yes,
        end: End::Shutdown,
        error: Some((Code::Unavailable, "SHUTTING_DOWN")),
        outcome: "unknown",
        late: Some((
            "cut by the shutdown of the service",
            "a create failed after its call had ended",
        )),
    },
    Case {
        sent: Sent::Reset,
        end: End::Upstream,
        error: Some((Code::Unavailable, "UPSTREAM_CONNECTION_LOST")),
        outcome: "unknown",
        late: None,
    },
];

/// The operations, and what `asked` has of the calls of this test.
const CREATES: [(&str, &str); 2] = [
    ("CreateTapes", "prefix NEW, client token token-told"),
    ("CreateTapeWithBarcode", "barcode TOLD0001"),
];

/// Another side that a create is sent to.
enum Aws {
    Silent(TcpListener, Vec<TcpStream>),
    Held(Upstream, Arc<Notify>),
    Resetting(Upstream),
}

impl Aws {
    async fn start(sent: Sent) -> Self {
        match sent {
            Sent::No => Self::Silent(TcpListener::bind("127.0.0.1:0").await.unwrap(), Vec::new()),
            Sent::Reset => Self::Resetting(Upstream::raw(b"").await),
            Sent::Yes => {
                let go = Arc::new(Notify::new());
                let wait = go.clone();
                let upstream = Upstream::answering(move |asked| {
                    let wait = wait.clone();
                    async move {
                        wait.notified().await;
                        Reply::ok(&asked.created())
                    }
                });
                Self::Held(upstream.await, go)
            }
        }
    }

    fn endpoint(&self) -> String {
        match self {
            Self::Silent(listener, _) => format!("https://{}", listener.local_addr().unwrap()),
            Self::Held(upstream, _) | Self::Resetting(upstream) => upstream.endpoint(),
        }
    }

    /// Waits until the create is as far as it comes.
    async fn reached(&mut self) {
        match self {
            Self::Silent(listener, open) => open.push(listener.accept().await.unwrap().0),
            Self::Held(upstream, _) => upstream.was_asked(1).await,
            Self::Resetting(_) => {}
        }
    }
}

async fn create(grpc: String, operation: &str, timeout: Option<Duration>) -> Result<(), Status> {
    let mut client = TapeServiceClient::connect(grpc).await.unwrap();
    if operation == "CreateTapes" {
        let mut request = Request::new(one_new_tape("token-told"));
        timeout.inspect(|timeout| request.set_timeout(*timeout));
        return client.create_tapes(request).await.map(drop);
    }
    let mut request = Request::new(CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: "TOLD0001".into(),
        ..Default::default()
    });
    timeout.inspect(|timeout| request.set_timeout(*timeout));
    client.create_tape_with_barcode(request).await.map(drop)
}

/// The fields of the only line with this message.
fn line(lines: &[String], message: &str) -> Option<Value> {
    let parsed = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found = parsed.filter(|line| line["message"].as_str().unwrap_or_default().starts_with(message));
    let line = found.next();
    assert!(found.next().is_none(), "twice: {message}: {lines:#?}");
    line
}

#[tokio::test]
async fn error_log_audit_and_metrics_agree_on_a_create_however_its_call_ends() {
    for case in &CASES {
        for (operation, asked) in CREATES {
            check(case, operation, asked).await;
        }
    }
}

#[tokio::test]
async fn a_create_that_a_shutdown_cuts_between_its_attempts_is_logged_as_cut() {
    let failed = Reply::aws(500, &json!({ "__type": "InternalServerError" }));
    let upstream = Upstream::always(failed).await;
    let mut program = Program::serve(
        &upstream.endpoint(),
        [
            ("TAPEGATE_LOG_FORMAT", "json"),
            ("TAPEGATE_LOG_FILTER", "info,tapegate::upstream::retry=debug"),
            ("TAPEGATE_SHUTDOWN_DRAIN_TIMEOUT", "200ms"),
            ("TAPEGATE_RETRY_BASE", "60s"),
            ("TAPEGATE_RETRY_CAP", "60s"),
            ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
        ],
    );
    let grpc = program.grpc.clone();
    let call = tokio::spawn(async move { create(grpc, "CreateTapes", None).await });
    program.logged("retrying the call").await;
    program.ask_to_stop();
    let told = refusal(&call.await.unwrap().unwrap_err());
    assert_eq!(told.reason, "SHUTTING_DOWN");
    assert_eq!(told.metadata["outcome"], "unknown");
    assert_eq!(told.metadata["aws_request_id"], "request-of-the-test");
    let (_, lines) = program.ended().await;
    let found = line(&lines, "a create ").unwrap();
    assert_eq!(
        found["message"],
        "a create was not retried because its call had ended"
    );
    assert_eq!(found["call_ended"], "cut by the shutdown of the service");
    assert_eq!(found["asked"], CREATES[0].1);
    assert_eq!(found["outcome"], "unknown");
    assert_eq!(found["aws_request_id"], "request-of-the-test");
}

#[tokio::test]
async fn a_create_without_a_caller_that_a_shutdown_cuts_is_logged() {
    let mut aws = Aws::start(Sent::Yes).await;
    let mut program = Program::serve(
        &aws.endpoint(),
        [
            ("TAPEGATE_LOG_FORMAT", "json"),
            ("TAPEGATE_SHUTDOWN_DRAIN_TIMEOUT", "200ms"),
            ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
        ],
    );
    let grpc = program.grpc.clone();
    let call = tokio::spawn(async move { create(grpc, "CreateTapes", None).await });
    aws.reached().await;
    call.abort();
    program.logged("call ended\"").await;
    program.ask_to_stop();
    let (code, lines) = program.ended().await;
    assert_eq!(code, Some(1), "the stop was not clean");
    let found = line(&lines, "a create ").unwrap();
    assert_eq!(found["message"], "a create failed after its call had ended");
    assert_eq!(found["call_ended"], "its caller had cancelled or disconnected");
    assert_eq!(found["fault"], "the shutdown of the service ended the call");
    assert_eq!(found["asked"], CREATES[0].1);
    assert_eq!(found["gateway"], GATEWAY);
    assert_eq!(found["outcome"], "unknown");
}

async fn check(case: &Case, operation: &str, asked: &str) {
    let Case {
        sent,
        end,
        error,
        outcome,
        late,
    } = case;
    let what = format!("{operation}, sent: {sent:?}, ended by {end:?}");
    let mut aws = Aws::start(*sent).await;
    let mut program = Program::serve(
        &aws.endpoint(),
        [
            ("TAPEGATE_LOG_FORMAT", "json"),
            ("TAPEGATE_SHUTDOWN_DRAIN_TIMEOUT", "200ms"),
            ("TAPEGATE_RETRY_ATTEMPTS", "1"),
            ("TAPEGATE_UPSTREAM_CONNECT_TIMEOUT", "1m"),
            ("TAPEGATE_UPSTREAM_ATTEMPT_TIMEOUT", "1m"),
            ("TAPEGATE_UPSTREAM_CREATE_TIMEOUT", "2m"),
            ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
        ],
    );
    let timeout = (*end == End::Deadline).then_some(Duration::from_secs(2));
    let call = tokio::spawn({
        let (grpc, operation) = (program.grpc.clone(), operation.to_owned());
        async move { create(grpc, &operation, timeout).await }
    });
    aws.reached().await;
    match end {
        End::Cancel => call.abort(),
        End::Shutdown => program.ask_to_stop(),
        End::Deadline | End::Upstream => {}
    }
    let ended = call.await.ok().map(Result::unwrap_err);
    let mut lines = program.logged_until("call ended\"").await;
    if *end != End::Shutdown {
        if let (Some(_), Aws::Held(_, go)) = (late, &aws) {
            go.notify_one();
            lines.extend(program.logged_until("after its call had ended").await);
        }
        let (_, metrics) = get(&format!("{}/metrics", program.admin)).await;
        let is = |name: &str, count: u8| metrics.contains(&format!("\n{name} {count}\n"));
        let is_unclear = error.is_some() && *outcome == "unknown";
        assert!(
            is("tapegate_creates_unclear_total", is_unclear.into()),
            "{what}: {metrics}"
        );
        assert!(
            is("tapegate_creates_unheard_total", late.is_some().into()),
            "{what}: {metrics}"
        );
        program.ask_to_stop();
    }
    lines.extend(program.ended().await.1);
    let attempts = u8::from(*sent != Sent::No);

    match (error, &ended) {
        (None, None) => {}
        (Some((code, reason)), Some(status)) => {
            let told = refusal(status);
            assert_eq!(
                (told.code, told.reason.as_str()),
                (*code, *reason),
                "{what}: {told:?}"
            );
            assert_eq!(told.metadata["operation"], operation, "{what}");
            assert_eq!(told.metadata["attempts"], attempts.to_string(), "{what}");
            assert_eq!(told.metadata["outcome"], *outcome, "{what}");
            assert_eq!(told.metadata["retry"], "same_call", "{what}");
            let scope = told.metadata.get("outcome_scope").map(String::as_str);
            assert_eq!(scope, (*outcome == "not_applied").then_some("call"), "{what}");
            let by = match operation {
                "CreateTapes" => "client_token",
                _ => "barcode",
            };
            let words = match *outcome {
                "unknown" => format!("may have been created; retrying with the same {by} is safe"),
                _ => format!("this call created no tape; an earlier call with the same {by} may have"),
            };
            assert!(told.message.contains(&words), "{what}: {}", told.message);
        }
        other => panic!("{what}: {other:?}"),
    }
    let call_ended = line(&lines, "call ended").unwrap();
    let audit = line(&lines, "audit").unwrap();
    for told in [&call_ended, &audit] {
        assert_eq!(told["outcome"], *outcome, "{what}: {told}");
        assert_eq!(told["asked"], asked, "{what}: {told}");
        assert_eq!(told["resource"], GATEWAY, "{what}: {told}");
        assert_eq!(told["attempts"], attempts, "{what}: {told}");
        let reason = error.map(|(_, reason)| reason);
        assert_eq!(
            told.get("reason").and_then(Value::as_str),
            reason,
            "{what}: {told}"
        );
    }
    let found = line(&lines, "a create ");
    let Some((why, message)) = late else {
        assert!(found.is_none(), "{what}: {found:?}");
        return;
    };
    let found = found.unwrap_or_else(|| panic!("{what}: {lines:#?}"));
    assert_eq!(found["message"], *message, "{what}");
    assert_eq!(found["call_ended"], *why, "{what}");
    assert_eq!(found["asked"], asked, "{what}");
    assert_eq!(found["gateway"], GATEWAY, "{what}");
    assert_eq!(found["operation"], operation, "{what}");
    if message.contains("failed") {
        assert_eq!(found["outcome"], *outcome, "{what}");
        assert_eq!(
            found["fault"], "the shutdown of the service ended the call",
            "{what}"
        );
    }
}

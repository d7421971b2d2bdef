//! Which reads are coalesced, and what the callers share.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use http::HeaderMap;
use opentelemetry::{
    Context as TraceContext,
    trace::{FutureExt, TraceContextExt},
};
use tapegate::{
    access::{
        Authority, AuthorizedCall,
        limits::Limits,
        policy::{Policies, PolicyEngine},
    },
    call::{Call, Caller},
    domain::{Fault, ListTapes, Marker, PageRequest, Principal, Proof, Scope},
    observability::{
        readiness::{NotReadyOn, Readiness},
        telemetry::propagation,
    },
    upstream::{Shared, UpstreamSettings, stack},
};
use tokio::time::{Instant, sleep};
use tower::{ServiceExt, service_fn};

use super::slow;
use crate::harness::{
    tape_arn,
    transport::{aws, call, context, fresh_call, list, page, settings, shared},
};

const MINUTE: Duration = Duration::from_secs(60);
const TAKES: Duration = Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn identical_reads_in_flight_share_one_fetch() {
    let (stack, asked, shared) = slow(TAKES);
    let calls = (0..100).map(|_| stack.clone().oneshot(call(list(1), MINUTE)));
    let answers = join_all(calls).await;
    let first = &answers[0].as_ref().unwrap().output;
    for answer in &answers {
        let answer = answer.as_ref().unwrap();
        assert!(Arc::ptr_eq(&answer.output, first), "the page was copied");
        assert_eq!(answer.attempts.count, 1);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(shared.metrics.coalesced_reads.get(), 99);
    // One that comes later asks anew.
    stack.oneshot(call(list(1), MINUTE)).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(shared.metrics.coalesced_reads.get(), 99);
}

#[tokio::test(start_paused = true)]
async fn a_denied_caller_does_not_join_an_allowed_read() {
    let folder = tempfile::tempdir().unwrap();
    let policy = r#"permit (principal == TapeGate::Agent::"known", action, resource);"#;
    std::fs::write(folder.path().join("known.cedar"), policy).unwrap();
    let real = Arc::new(PolicyEngine::open("policies of a test", folder.path()).unwrap());
    let authority = Authority::Policies(Arc::new(Policies::new(real, None, "GLACIER".to_owned())));
    let limits = Arc::new(Limits::new(Default::default()));
    let shared = Shared::new(
        settings(),
        authority.clone(),
        limits,
        Readiness::new([list(1).scope], NotReadyOn::Nothing),
        Arc::default(),
    );
    let transport = service_fn(|_: AuthorizedCall<ListTapes>| async {
        sleep(TAKES).await;
        Ok(page("LISTED01"))
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let calls = ["known", "stranger", "known"].map(|name| {
        let principal = Principal::new(name.to_owned(), [], Proof::Certificate).unwrap();
        let caller = Caller::new(principal, Ipv4Addr::LOCALHOST.into());
        let call = Call::new(&context(), caller, list(1), Instant::now() + MINUTE);
        let (authority, stack) = (authority.clone(), stack.clone());
        async move { stack.oneshot(authority.authorize(call)?).await }
    });
    let [first, strangers, second] = &join_all(calls).await[..] else {
        panic!("three asked");
    };
    let denied = strangers.as_ref().unwrap_err();
    assert!(matches!(denied.fault, Fault::Denied { .. }), "{denied:?}");
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(shared.metrics.coalesced_reads.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn reads_that_differ_are_not_coalesced() {
    let (stack, asked, shared) = slow(TAKES);
    let marker = |text: &str| Marker::reported(Some(text.to_owned()));
    let base = list(1);
    let page = |page| ListTapes { page, ..base.clone() };
    let different = [
        base.clone(),
        list(2),
        page(PageRequest::default()),
        page(PageRequest {
            marker: marker("a"),
            ..base.page.clone()
        }),
        page(PageRequest {
            marker: marker("b"),
            ..base.page.clone()
        }),
        ListTapes {
            tapes: Arc::new([tape_arn("LISTED01").parse().unwrap()]),
            ..base.clone()
        },
        ListTapes {
            scope: Scope {
                region: "eu-west-1".parse().unwrap(),
                account: None,
            },
            ..base.clone()
        },
        ListTapes {
            scope: Scope {
                account: Some("123456789012".parse().unwrap()),
                ..base.scope.clone()
            },
            ..base.clone()
        },
    ];
    let calls = different
        .iter()
        .map(|list| stack.clone().oneshot(call(list.clone(), MINUTE)));
    join_all(calls)
        .await
        .into_iter()
        .for_each(|answer| drop(answer.unwrap()));
    assert_eq!(asked.load(Ordering::SeqCst), different.len() as u32);
    assert_eq!(shared.metrics.coalesced_reads.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_read_is_not_coalesced() {
    let (stack, asked, shared) = slow(TAKES);
    let calls =
        [false, true, true, false].map(|fresh| stack.clone().oneshot(fresh_call(list(1), MINUTE, fresh)));
    let answers: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(|answer| answer.unwrap().output)
        .collect();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(shared.metrics.coalesced_reads.get(), 1);
    assert!(Arc::ptr_eq(&answers[0], &answers[3]));
    assert!(!Arc::ptr_eq(&answers[1], &answers[2]) && !Arc::ptr_eq(&answers[0], &answers[1]));
}

#[tokio::test(start_paused = true)]
async fn joined_reads_share_retries_and_the_error() {
    let shared = shared(settings());
    let transport = service_fn(|_: AuthorizedCall<ListTapes>| async {
        sleep(TAKES).await;
        Err(aws("InternalFailure", 500))
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let calls = (0..10).map(|_| stack.clone().oneshot(call(list(1), MINUTE)));
    for answer in join_all(calls).await {
        let failure = answer.unwrap_err();
        assert!(matches!(&failure.fault, Fault::Aws { code, .. } if code == "InternalFailure"));
        assert_eq!(failure.attempts.count, 4);
    }
    assert_eq!(shared.metrics.attempts.get(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_has_its_own_timeout_whether_shared_or_fresh() {
    let shared = shared(UpstreamSettings {
        operation_timeout: Duration::from_secs(5),
        ..settings()
    });
    let transport = service_fn(|_: AuthorizedCall<ListTapes>| std::future::pending());
    let stack = stack::<ListTapes>(&shared, transport);
    for fresh in [false, true] {
        let began = Instant::now();
        let failure = stack
            .clone()
            .oneshot(fresh_call(list(1), MINUTE, fresh))
            .await
            .unwrap_err();
        assert!(matches!(failure.fault, Fault::OperationTimeout), "{failure:?}");
        assert_eq!(began.elapsed(), Duration::from_millis(5_000));
    }
}

#[tokio::test(start_paused = true)]
async fn a_joined_caller_keeps_its_own_longer_deadline() {
    // The first attempt fails after the first caller's time; the second succeeds.
    let shared = shared(settings());
    let transport = service_fn(|call: AuthorizedCall<ListTapes>| async move {
        let is_first = call.attempt.earlier == 0;
        sleep(Duration::from_secs(1)).await;
        match is_first {
            true => Err(aws("InternalFailure", 500)),
            false => Ok(page("LISTED01")),
        }
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let short = stack.clone().oneshot(call(list(1), Duration::from_millis(500)));
    let long = stack.clone().oneshot(call(list(1), MINUTE));
    let (short, long) = tokio::join!(short, long);
    let short = short.unwrap_err();
    assert!(matches!(short.fault, Fault::Deadline { .. }));
    assert_eq!(short.attempts.count, 1);
    assert_eq!(long.unwrap().attempts.count, 2);
    assert_eq!(shared.metrics.attempts.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_joined_fetch_stays_in_the_trace_of_the_first_caller() {
    let said = |trace: &str| {
        let mut headers = HeaderMap::new();
        let value = format!("00-{trace}-00f067aa0ba902b7-01");
        headers.insert("traceparent", value.parse().unwrap());
        propagation::extract(&headers)
    };
    let (first, second) = (
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "0af7651916cd43dd8448eb211c80319c",
    );
    let shared = shared(settings());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = seen.clone();
    let transport = service_fn(move |_: AuthorizedCall<ListTapes>| {
        let seen = see.clone();
        async move {
            sleep(TAKES).await;
            let trace = TraceContext::current().span().span_context().trace_id();
            seen.lock().unwrap().push(trace.to_string());
            Ok(page("LISTED01"))
        }
    });
    let stack = stack::<ListTapes>(&shared, transport);
    let read = |trace| {
        stack
            .clone()
            .oneshot(call(list(1), MINUTE))
            .with_context(said(trace))
    };
    let mut began = Box::pin(read(first));
    assert!(futures_util::poll!(&mut began).is_pending());
    let mut joined = Box::pin(read(second));
    assert!(futures_util::poll!(&mut joined).is_pending());
    drop(began);
    joined.await.unwrap();
    read(second).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [first, second]);
}

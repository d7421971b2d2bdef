//! A scripted transport for the upstream stack: the settings, operations and results that its
//! tests share.

use std::{net::Ipv4Addr, num::NonZeroU32, sync::Arc, time::Duration};

use tapegate::{
    access::{
        Authority, AuthorizedCall,
        limits::{self, Limits},
    },
    call::{Answer, Call, CallContext, Caller},
    domain::{
        Attempts, ClientToken, CreateTapes, CreatedTapes, Encryption, Failure, Fault, ListTapes, NewTape,
        Operation, Page, PageRequest, Principal, Scope, TapeInfo, TapeSize, TapeSizeBounds,
    },
    observability::readiness::{NotReadyOn, Readiness},
    upstream::{
        Shared, UpstreamSettings, pace,
        pagination::{ListContext, Visibility},
        retry,
    },
};
use tokio::time::Instant;

use super::{GATEWAY, SIZE, tape_arn};

/// The default settings of the service.
pub fn settings() -> UpstreamSettings {
    UpstreamSettings {
        attempt_timeout: Duration::from_secs(20),
        create_timeout: Duration::from_secs(20),
        operation_timeout: Duration::from_secs(60),
        max_connections: 1000,
        retry: retry::RetrySettings::default(),
        pace: pace::PaceSettings::default(),
        by_account: false,
        per_caller: Default::default(),
        add_tags: false,
    }
}

/// The state that stacks over a scripted transport share.
pub fn shared(settings: UpstreamSettings) -> Shared {
    let limits = Arc::new(Limits::new(limits::LimitSettings::default()));
    Shared::new(
        settings,
        Authority::Anyone,
        limits,
        Readiness::new([list(0).scope], NotReadyOn::Nothing),
        Arc::default(),
    )
}

/// A list that is identical only to lists of the same number.
pub fn list(number: u32) -> ListTapes {
    ListTapes {
        scope: Scope {
            region: "us-east-1".parse().unwrap(),
            account: None,
        },
        tapes: Arc::new([]),
        page: PageRequest {
            marker: None,
            limit: NonZeroU32::new(number + 1),
        },
    }
}

/// A create with this client token.
pub fn create(token: &str) -> CreateTapes {
    let bounds = TapeSizeBounds::gib(100, 15 * 1024).unwrap();
    CreateTapes {
        client_token: token.parse::<ClientToken>().unwrap(),
        count: 1,
        prefix: "NEW".parse().unwrap(),
        tape: NewTape {
            gateway: GATEWAY.parse().unwrap(),
            size: TapeSize::new(SIZE, &bounds).unwrap(),
            encryption: Encryption::default(),
            pool: None,
            worm: None,
            tags: Arc::new([]),
        },
    }
}

/// The anonymous principal, from the loopback address.
pub fn anonymous() -> Caller {
    Caller::new(Principal::anonymous(), Ipv4Addr::LOCALHOST.into())
}

/// The context of a call.
pub fn context() -> Arc<CallContext> {
    Arc::new(CallContext::new("/test", "request-1", None, None))
}

/// An authorized call that must end within `timeout`.
pub fn call<O: Operation>(operation: O, timeout: Duration) -> AuthorizedCall<O> {
    fresh_call(operation, timeout, false)
}

/// An authorized call that must end within `timeout`, and whose answer must be asked for now if
/// `fresh`.
pub fn fresh_call<O: Operation>(operation: O, timeout: Duration, fresh: bool) -> AuthorizedCall<O> {
    let call = Call::new(&context(), anonymous(), operation, Instant::now() + timeout).fresh(fresh);
    Authority::Anyone.authorize(call).unwrap()
}

/// A list whose reader may see all of it, and which must end within `timeout`.
pub fn list_context(timeout: Duration) -> ListContext {
    ListContext {
        context: context(),
        caller: anonymous(),
        deadline: Instant::now() + timeout,
        fresh: false,
        visibility: Visibility::By(Authority::Anyone),
    }
}

/// The result of a list: one tape with this barcode.
pub fn page(barcode: &str) -> Answer<Page<TapeInfo>> {
    Answer {
        output: Page::new(
            vec![TapeInfo {
                tape_arn: tape_arn(barcode),
                tape_barcode: Some(barcode.to_owned()),
                tape_size_in_bytes: Some(SIZE),
                tape_status: None,
                gateway_arn: None,
                pool_id: None,
                retention_start_date: None,
                pool_entry_date: None,
            }],
            None,
        ),
        attempts: Attempts::one(None),
    }
}

/// The result of a create: one tape with this barcode.
pub fn created(barcode: &str) -> Answer<CreatedTapes> {
    Answer {
        output: CreatedTapes {
            tape_arns: vec![tape_arn(barcode)],
        },
        attempts: Attempts::one(None),
    }
}

/// An AWS error after one attempt.
pub fn aws(code: &str, http_status: u16) -> Failure {
    let fault = Fault::Aws {
        code: code.to_owned(),
        nested: false,
        message: "of the test".to_owned(),
        http_status,
        misdated: false,
        is_internal: false,
    };
    fault.after(Attempts::one(None))
}

/// A failed connection after one attempt.
pub fn unreachable() -> Failure {
    let fault = Fault::Unreachable {
        cause: "of the test".to_owned(),
    };
    fault.after(Attempts::unsent())
}

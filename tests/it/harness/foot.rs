use std::{net::Ipv4Addr, num::NonZeroU32, sync::Arc, time::Duration};

use tapegate::{
    access::{
        Authority,
        limits::{self, Limits},
    },
    domain::{
        Answer, Attempts, Call, Caller, ClientToken, CreateTapes, CreatedTapes, Deadline, Encryption,
        Failure, Fault, ListTapes, NewTape, Operation, Page, PageRequest, Principal, Scope, TapeInfo,
        TapeSize, TapeSizeBounds,
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

/// The settings of a service that was given none.
pub fn settings() -> UpstreamSettings {
    UpstreamSettings {
        attempt_timeout: Duration::from_secs(20),
        create_timeout: Duration::from_secs(30),
        operation_timeout: Duration::from_secs(60),
        retry: retry::RetrySettings {
            attempts: 4,
            base: Duration::from_millis(100),
            throttled_base: Duration::from_secs(1),
            cap: Duration::from_secs(5),
            calls_per_repeat: 5,
            reserve: 10,
        },
        pace: pace::PaceSettings::default(),
        by_account: false,
    }
}

/// What stacks over a test's foot share.
pub fn shared(settings: UpstreamSettings) -> Shared {
    let limits = Arc::new(Limits::new(limits::LimitSettings::default()));
    Shared::new(
        settings,
        Authority::Anyone,
        limits,
        Readiness::new(1, NotReadyOn::Nothing),
        Arc::default(),
    )
}

/// A list of its own: no other number's is identical.
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

/// A create under this token.
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

/// Nobody in particular, on this machine.
pub fn anonymous() -> Caller {
    Caller::new(Principal::anonymous(), Ipv4Addr::LOCALHOST.into())
}

/// A call that has so long from now on.
pub fn call<O: Operation>(operation: O, timeout: Duration) -> Call<O> {
    Call::new(anonymous(), operation, Deadline::at(Instant::now() + timeout))
}

/// A list for somebody who may see all of it, which has so long from now on.
pub fn terms(timeout: Duration) -> ListContext {
    ListContext {
        caller: anonymous(),
        deadline: Deadline::at(Instant::now() + timeout),
        fresh: false,
        allowed: Visibility::By(Authority::Anyone),
    }
}

/// What a list answers: one tape, of this barcode.
pub fn page(barcode: &str) -> Answer<Page<TapeInfo>> {
    Answer {
        output: Page {
            rows: vec![TapeInfo {
                tape_arn: tape_arn(barcode),
                tape_barcode: Some(barcode.to_owned()),
                tape_size_in_bytes: Some(SIZE),
                tape_status: None,
                gateway_arn: None,
                pool_id: None,
                retention_start_date: None,
                pool_entry_date: None,
            }],
            next: None,
        },
        attempts: Attempts::one(None),
    }
}

/// What a create answers.
pub fn created(barcode: &str) -> Answer<CreatedTapes> {
    Answer {
        output: CreatedTapes {
            tape_arns: vec![tape_arn(barcode)],
        },
        attempts: Attempts::one(None),
    }
}

/// An error of AWS, which an attempt was answered with.
pub fn aws(code: &str, http_status: u16) -> Failure {
    let fault = Fault::Aws {
        code: code.to_owned(),
        nested: false,
        message: "of the test".to_owned(),
        http_status,
        misdated: false,
    };
    fault.after(Attempts::one(None))
}

/// No connection came about.
pub fn unreachable() -> Failure {
    let fault = Fault::Unreachable {
        cause: "of the test".to_owned(),
    };
    fault.after(Attempts::one(None))
}

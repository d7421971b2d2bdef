//! `[upstream]`, `[retry]`, `[pace]` and `[create]`: how AWS is called.

use std::{sync::Arc, time::Duration};

use http::Uri;

use super::{
    Setting, endpoints,
    parsers::{Bool, DurationIn, ENDPOINT, Integer, Parsed},
    requests,
    values::Values,
};
use crate::upstream::{
    UpstreamSettings,
    idempotency::ReconcileSettings,
    pace::PaceSettings,
    retry::RetrySettings,
    retry_budget::RetryBudgetSettings,
    sdk::{AccountSettings, SdkSettings},
};

const fn up_to(max: Duration) -> DurationIn {
    DurationIn(Duration::from_millis(1)..=max)
}

pub(crate) static UPSTREAM_ENDPOINT: Setting<Parsed<Uri>> = Setting {
    key: "upstream.endpoint",
    kind: ENDPOINT,
    default: None,
    help: "The URL of a server that is called instead of AWS, such as the emulator. FIPS and dual-stack endpoints are \
           not used then. Default: the endpoint of AWS in each region.",
};

pub(crate) static STS_ENDPOINT: Setting<Parsed<Uri>> = Setting {
    key: "upstream.sts_endpoint",
    kind: ENDPOINT,
    default: None,
    help: "The URL of STS, which gives out the credentials of roles and says which account credentials belong to. \
           Default: the endpoint of AWS in the region.",
};

pub(crate) static MAX_CALLER_SESSIONS: Setting<Integer<usize>> = Setting {
    key: "upstream.max_caller_sessions",
    kind: Integer {
        range: 1..=100_000,
        unit: "sessions",
    },
    default: Some("1000"),
    help: "The maximum number of sessions of callers in memory, over all accounts with session_per_caller. For a \
           further caller, the session that was not used for the longest time is forgotten.",
};

pub(crate) static CONNECT_TIMEOUT: Setting<DurationIn> = Setting {
    key: "upstream.connect_timeout",
    kind: up_to(Duration::from_secs(60)),
    default: Some("3100ms"),
    help: "The timeout for opening a connection to AWS.",
};

pub(crate) static ATTEMPT_TIMEOUT: Setting<DurationIn> = Setting {
    key: "upstream.attempt_timeout",
    kind: up_to(Duration::from_secs(10 * 60)),
    default: Some("20s"),
    help: "The timeout of one attempt of a read. It includes the time to connect, so it must not be shorter than \
           upstream.connect_timeout. It does not include the time that \
           the attempt waits because of the rate limit in [pace].",
};

pub(crate) static CREATE_TIMEOUT: Setting<DurationIn> = Setting {
    key: "upstream.create_timeout",
    kind: up_to(Duration::from_secs(10 * 60)),
    default: Some("20s"),
    help: "The timeout of one attempt of a create. It includes the time to connect, so it must not be shorter than \
           upstream.connect_timeout. Keep it at or below shutdown.drain_timeout, or the outcome of creates that a stop \
           cuts is unknown. If the caller disconnects, an \
           attempt that was sent continues until it ends or until this timeout. Shutdown waits for it.",
};

pub(crate) static OPERATION_TIMEOUT: Setting<DurationIn> = Setting {
    key: "upstream.operation_timeout",
    kind: up_to(Duration::from_secs(60 * 60)),
    default: Some("60s"),
    help: "The timeout for fetching one page of a list, including all attempts and pauses.",
};

pub(crate) static MAX_ANSWER_BYTES: Setting<Integer<usize>> = Setting {
    key: "upstream.max_answer_bytes",
    kind: Integer {
        range: 1024..=1024 * 1024 * 1024,
        unit: "bytes",
    },
    default: Some("16777216"),
    help: "The maximum size of a response from AWS. A call with a larger response fails.",
};

pub(crate) static UPSTREAM_MAX_CONNECTIONS: Setting<Integer<usize>> = Setting {
    key: "upstream.max_connections",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "connections",
    },
    default: Some("1000"),
    help: "The maximum number of attempts in flight, each of which uses a connection to AWS. Further attempts wait, at \
           most until the deadlines of their calls. Reads use at most nine tenths of the connections, so that lists do \
           not keep creates waiting.",
};

pub(crate) static CREDENTIALS_PAUSE: Setting<DurationIn> = Setting {
    key: "upstream.credentials_pause",
    kind: up_to(Duration::from_secs(60 * 60)),
    default: Some("10s"),
    help: "The pause before the service tries again to get missing AWS credentials. It is also the minimum time before \
           a replica can become ready again after AWS rejected its credentials. After a rejection, the service \
           fetches new credentials immediately, but at most once in this time.",
};

pub(crate) static RETRY_ATTEMPTS: Setting<Integer<u32>> = Setting {
    key: "retry.attempts",
    kind: Integer {
        range: 1..=20,
        unit: "attempts",
    },
    default: Some("4"),
    help: "The maximum number of attempts of a create, or of one page of a list, including the first. 1 turns retries off.",
};

pub(crate) static RETRY_BASE: Setting<DurationIn> = Setting {
    key: "retry.base",
    kind: up_to(Duration::from_secs(60)),
    default: Some("100ms"),
    help: "The maximum pause before the second attempt. It doubles for each further attempt. The pause itself is \
           random, from zero to that maximum.",
};

pub(crate) static RETRY_THROTTLED_BASE: Setting<DurationIn> = Setting {
    key: "retry.throttled_base",
    kind: up_to(Duration::from_secs(60)),
    default: Some("1s"),
    help: "Replaces retry.base after an attempt that AWS throttled. Pauses still do not exceed retry.cap.",
};

pub(crate) static RETRY_CAP: Setting<DurationIn> = Setting {
    key: "retry.cap",
    kind: up_to(Duration::from_secs(10 * 60)),
    default: Some("5s"),
    help: "The maximum pause before any attempt, unless AWS asks for a longer one.",
};

pub(crate) static RETRY_BUDGET_SHARE: Setting<Integer<u16>> = Setting {
    key: "retry.budget_share",
    kind: Integer {
        range: 1..=100,
        unit: "percent",
    },
    default: Some("20"),
    help: "The retry budget of all calls to one gateway, and of those in a region and account that name no gateway, as a \
           percentage of these calls in the last ten seconds. The service allows one retry for every N calls. N is a whole number, so the percentage is rounded down: 30 allows one \
           retry for every 4 calls, which is 25 percent.",
};

pub(crate) static RETRY_BUDGET_RESERVE: Setting<Integer<u32>> = Setting {
    key: "retry.budget_reserve",
    kind: Integer {
        range: 0..=10_000,
        unit: "retries",
    },
    default: Some("10"),
    help: "The number of retries per second that are allowed in addition to retry.budget_share, for times with few \
           calls. Unused retries accumulate for at most ten seconds.",
};

pub(crate) static PACE_FLOOR: Setting<Integer<u32>> = Setting {
    key: "pace.floor",
    kind: Integer {
        range: 1..=1_000,
        unit: "attempts",
    },
    default: Some("1"),
    help: "The minimum rate while AWS throttles, in attempts per second. It applies to each account, region and kind \
           of call (read or create). During an outage, AWS is probed at this rate.",
};

pub(crate) static PACE_DECREASE: Setting<Integer<u16>> = Setting {
    key: "pace.decrease",
    kind: Integer {
        range: 1..=50,
        unit: "percent",
    },
    default: Some("10"),
    help: "The minimum decrease of the rate after a throttled attempt, as a percentage of the rate. The maximum \
           decrease is 50 percent. Within these limits, the new rate is the number of attempts in the last second that \
           AWS answered without throttling.",
};

pub(crate) static PACE_INCREASE: Setting<Integer<u16>> = Setting {
    key: "pace.increase",
    kind: Integer {
        range: 1..=100,
        unit: "percent",
    },
    default: Some("2"),
    help: "While calls wait, the rate increases each second by a fixed step, which is this percentage of the rate \
           that the last decrease resulted in. The rate increases faster while the limit of AWS is not known yet, and after ten seconds without \
           throttling.",
};

pub(crate) static PACE_FORGET: Setting<DurationIn> = Setting {
    key: "pace.forget",
    kind: DurationIn(Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60)),
    default: Some("1m"),
    help: "How long the rate stays limited after the last throttled attempt. It is also how long the service \
           remembers an outage: if no attempt has ended for this time, the next calls are not refused but sent at a low \
           rate, which rises.",
};

pub(crate) static PACE_SILENCE: Setting<Integer<u32>> = Setting {
    key: "pace.silence",
    kind: Integer {
        range: 1..=10_000,
        unit: "attempts",
    },
    default: Some("5"),
    help: "The number of consecutive failed attempts after which the service assumes an outage. An attempt counts if \
           it cannot connect, gets no response, or is rejected because of the AWS credentials of the service. During \
           an outage, new calls fail immediately with the last cause, except for probes at the rate of pace.floor.",
};

pub(crate) static ADD_TAGS: Setting<Bool> = Setting {
    key: "create.add_tags",
    kind: Bool,
    default: Some("false"),
    help: "Whether the service adds the tags of CreateTapeWithBarcode by AddTagsToResource, because AWS drops them. It \
           needs the IAM permission storagegateway:AddTagsToResource. The response names the tags that the tape may \
           lack.",
};

pub(crate) static CLOCK_SKEW: Setting<DurationIn> = Setting {
    key: "create.clock_skew",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(60 * 60)),
    default: Some("1m"),
    help: "The maximum time by which the clock of AWS may be behind the clock of this machine. If the creation date of \
           a tape is earlier than the start of a call, but not by more than this time, the tape can still be the \
           result of that call.",
};

pub(crate) static TOKEN_WINDOW: Setting<DurationIn> = Setting {
    key: "create.token_window",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(60 * 60)),
    default: Some("10m"),
    help: "How long AWS certainly remembers the client_token of CreateTapes, which AWS does not document. A repeat with \
           the same client_token and parameters counts once in limits.tapes_per_hour within this time. A later repeat \
           counts again, because AWS may create further tapes. With 0s, every repeat counts.",
};

pub(crate) static RESEND_WINDOW: Setting<DurationIn> = Setting {
    key: "create.resend_window",
    kind: DurationIn(Duration::ZERO..=Duration::from_secs(24 * 60 * 60)),
    default: Some("10m"),
    help: "If the client library reports earlier attempts of a call (grpc-previous-rpc-attempts), one of them may have \
           created the tape. For such a call the service adds this time, the maximum age of these attempts, to \
           create.clock_skew.",
};

pub(super) fn read(
    values: &mut Values,
    accounts: Option<Vec<AccountSettings>>,
) -> Option<(SdkSettings, UpstreamSettings)> {
    let endpoints = endpoints::read(values);
    let [connect_timeout, attempt_timeout] = values.in_order([&CONNECT_TIMEOUT, &ATTEMPT_TIMEOUT]);
    let [_, operation_timeout] = values.in_order([&ATTEMPT_TIMEOUT, &OPERATION_TIMEOUT]);
    let [_, create_timeout] = values.in_order([&CONNECT_TIMEOUT, &CREATE_TIMEOUT]);
    let retry = retry(values);
    let (attempt_timeout, create_timeout) = (attempt_timeout?, create_timeout?);
    let url = |url: Option<Uri>| url.map(|url| url.to_string());
    let accounts = accounts?;
    let per_caller = accounts.iter().filter(|account| account.session_per_caller);
    let per_caller = Arc::new(per_caller.map(|account| account.id.clone()).collect());
    let sdk = SdkSettings {
        endpoint: url(values.optional(&UPSTREAM_ENDPOINT)?),
        sts_endpoint: url(values.optional(&STS_ENDPOINT)?),
        endpoints: endpoints?,
        accounts,
        max_caller_sessions: values.get(&MAX_CALLER_SESSIONS)?,
        network: values.environment().network.clone(),
        credentials: None,
        connect_timeout: connect_timeout?,
        attempt_timeout: attempt_timeout.max(create_timeout),
        max_answer_bytes: values.get(&MAX_ANSWER_BYTES)?,
        credentials_pause: values.get(&CREDENTIALS_PAUSE)?,
    };
    let upstream = UpstreamSettings {
        attempt_timeout,
        create_timeout,
        operation_timeout: operation_timeout?,
        max_connections: values.get(&UPSTREAM_MAX_CONNECTIONS)?,
        retry: retry?,
        pace: pace(values)?,
        by_account: !values.get(&requests::ACCOUNTS)?.is_empty(),
        per_caller,
        add_tags: values.get(&ADD_TAGS)?,
    };
    Some((sdk, upstream))
}

fn retry(values: &mut Values) -> Option<RetrySettings> {
    let [base, cap] = values.in_order([&RETRY_BASE, &RETRY_CAP]);
    Some(RetrySettings {
        attempts: values.get(&RETRY_ATTEMPTS)?,
        base: base?,
        throttled_base: values.get(&RETRY_THROTTLED_BASE)?,
        cap: cap?,
        budget: RetryBudgetSettings {
            calls_per_retry: 100_u16.div_ceil(values.get(&RETRY_BUDGET_SHARE)?),
            reserve: values.get(&RETRY_BUDGET_RESERVE)?,
        },
    })
}

fn pace(values: &Values) -> Option<PaceSettings> {
    Some(PaceSettings {
        floor: f64::from(values.get(&PACE_FLOOR)?),
        decrease: 1.0 - f64::from(values.get(&PACE_DECREASE)?) / 100.0,
        increase: f64::from(values.get(&PACE_INCREASE)?) / 100.0,
        forget: values.get(&PACE_FORGET)?,
        silence: values.get(&PACE_SILENCE)?,
    })
}

pub(super) fn reconcile(values: &Values) -> Option<ReconcileSettings> {
    Some(ReconcileSettings {
        clock_skew: values.get(&CLOCK_SKEW)?,
        resend_window: values.get(&RESEND_WINDOW)?,
    })
}

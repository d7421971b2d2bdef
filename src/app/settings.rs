//! From what is configured to what the parts go by.

use aws_credential_types::Credentials;

use crate::{
    app::config::{AdminPages, Config, Create, Deadline, Pace, Retry, Scope, Server, Tapes, Upstream},
    domain::TapeSizeBounds,
    grpc::{convert::Rules, inbound},
    observability::admin::{AdminAccess, AdminSettings},
    upstream::{self, idempotency, pace, retry, sdk},
};

/// How AWS is reached, and signed for with `credentials`, or with those of the SDK's chain.
pub(super) fn sdk(config: &Upstream, credentials: Option<Credentials>) -> sdk::SdkSettings {
    sdk::SdkSettings {
        endpoint: config.endpoint.as_ref().map(ToString::to_string),
        credentials,
        connect_timeout: config.connect_timeout,
        attempt_timeout: config.attempt_timeout.max(config.create_timeout),
        max_answer_bytes: config.max_answer_bytes,
        credentials_pause: config.credentials_pause,
    }
}

/// How calls go out.
pub(super) fn outward(config: &Config) -> upstream::UpstreamSettings {
    let Config {
        upstream,
        retry,
        pace,
        scope,
        ..
    } = config;
    upstream::UpstreamSettings {
        attempt_timeout: upstream.attempt_timeout,
        create_timeout: upstream.create_timeout,
        operation_timeout: upstream.operation_timeout,
        retry: repeats(retry),
        pace: paces(pace),
        by_account: scope.account_id.is_some(),
    }
}

fn repeats(config: &Retry) -> retry::RetrySettings {
    retry::RetrySettings {
        attempts: config.attempts,
        base: config.base,
        throttled_base: config.throttled_base,
        cap: config.cap,
        calls_per_repeat: 100_u16.div_ceil(config.budget_share),
        reserve: config.budget_reserve,
    }
}

fn paces(config: &Pace) -> pace::PaceSettings {
    pace::PaceSettings {
        floor: f64::from(config.floor),
        decrease: 1.0 - f64::from(config.decrease) / 100.0,
        increase: f64::from(config.increase) / 100.0,
        forget: config.forget,
        silence: config.silence,
    }
}

/// What a request may say.
pub(super) fn rules(scope: &Scope, tapes: &Tapes) -> Rules {
    Rules {
        region: scope.region.clone(),
        regions: scope.regions.clone(),
        account_id: scope.account_id.clone(),
        accounts: scope.accounts.clone(),
        tape_sizes: TapeSizeBounds::gib(tapes.min_size_gib, tapes.max_size_gib)
            .expect("the configuration was checked"),
    }
}

/// When a tape can be a call's own.
pub(super) fn creating(config: &Create) -> idempotency::ReconcileSettings {
    idempotency::ReconcileSettings {
        clock_skew: config.clock_skew,
        resend_window: config.resend_window,
    }
}

/// How long calls may take.
pub(super) fn deadlines(config: &Deadline) -> inbound::Deadlines {
    inbound::Deadlines {
        unary: inbound::Bounds {
            default: config.unary,
            most: config.unary_max,
        },
        stream: inbound::Bounds {
            default: config.stream,
            most: config.stream_max,
        },
    }
}

/// The settings of the admin listener.
pub(super) fn admin(config: &Server) -> AdminSettings {
    AdminSettings {
        max_connections: config.admin_max_connections,
        head_timeout: config.handshake_timeout,
    }
}

/// Who may see the operators' admin pages.
pub(super) fn admin_access(config: AdminPages) -> AdminAccess {
    match config {
        AdminPages::Loopback => AdminAccess::Loopback,
        AdminPages::Open => AdminAccess::Open,
    }
}

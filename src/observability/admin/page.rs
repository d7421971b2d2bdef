//! The admin page: what runs, the state of AWS, charts, calls in progress and the last errors.

mod chart;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use jiff::{SignedDuration, Timestamp};
use maud::{DOCTYPE, Markup, html};

use self::chart::{Line, chart};
use super::{
    AdminState, Pages, UpstreamState,
    history::{self, Point},
};
use crate::{
    domain::{OperationKind, Scope},
    observability::{
        calls::{CallFailure, CallInProgress, FailedCall, MAX_FAILED},
        readiness::UpstreamCondition,
        telemetry,
    },
};

/// How many calls in progress the page shows.
const MAX_SHOWN: usize = 50;

/// Content security policy: nothing from other origins, and no script or style that a caller's name
/// could smuggle in.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css")], include_str!("page/page.css")).into_response()
}

pub(super) async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript")], include_str!("page/page.js")).into_response()
}

pub(super) async fn page(State(pages): State<Pages>) -> Response {
    let state = pages.state;
    let Ok(page) = pages.page.page(move || render(&state)).await else {
        let why = "cannot render the page: this is a defect of the service; please report it\n";
        return (StatusCode::INTERNAL_SERVER_ERROR, why).into_response();
    };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, page).into_response()
}

fn render(state: &AdminState) -> Bytes {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "tapegate" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="page.css";
                script src="page.js" defer {}
                // Without scripts the browser reloads the page.
                noscript { meta http-equiv="refresh" content=(history::EVERY.as_secs()); }
            }
            body {
                main data-every=(history::EVERY.as_secs()) {
                    (head(state))
                    (aws(state))
                    (charts(state))
                    (in_progress(state))
                    (failed(state))
                }
            }
        }
    };
    page.into_string().into()
}

fn head(state: &AdminState) -> Markup {
    let service = &state.service;
    let reasons = state.readiness.reasons();
    html! {
        header {
            h1 { "tapegate " small { (env!("BUILD_VERSION")) } }
            @if reasons.is_empty() {
                p #ready .good { "ready" }
            } @else {
                p #ready .bad { "not ready" }
            }
        }
        @for why in &reasons {
            p.bad { b { (why.reason()) } ": " (why.message()) }
        }
        dl {
            dt { "started" }
            dd { (second(service.started)) " (" (since(service.started)) " ago)" }
            dt { "gRPC address" }
            dd { (service.grpc) }
            @match (state.lost_audit_records)() {
                0 => {}
                lost => {
                    dt { "lost audit records" }
                    dd { span.bad { (lost) " could not be written to audit.file; they are in the log" } }
                }
            }
            dt { "log filter" }
            dd { (log_filter()) }
        }
        nav {
            @for page in ["readyz", "livez", "metrics", "config", "log-filter"] {
                a href=(page) { "/" (page) }
                " "
            }
        }
    }
}

fn aws(state: &AdminState) -> Markup {
    let service = &state.service;
    let conditions = state.readiness.conditions();
    let upstream = (state.upstream)();
    html! {
        section #aws {
            h2 { "AWS" }
            dl {
                dt { "endpoint" }
                dd { (service.endpoint.as_deref().unwrap_or("default of AWS")) }
            }
            div.wide {
                table {
                    thead {
                        tr {
                            th { "account" } th { "region" } th { "condition" } th { "credentials" }
                            th { "pace of reads" } th { "pace of creates" } th { "retry budget" }
                        }
                    }
                    tbody { @for scope in &service.scopes { (place(state, &upstream, &conditions, scope)) } }
                }
            }
        }
    }
}

/// The row of one region and account.
fn place(
    state: &AdminState,
    upstream: &UpstreamState,
    conditions: &BTreeMap<Scope, BTreeSet<UpstreamCondition>>,
    scope: &Scope,
) -> Markup {
    let pace = |kind: OperationKind| {
        let found = upstream
            .paces
            .iter()
            .find(|(of, which, _)| of == scope && *which == kind);
        found.map_or("not limited".to_owned(), |(_, _, rate)| format!("{rate:.1}/s"))
    };
    let found = conditions.get(scope);
    let is_missing = found.is_some_and(|found| found.contains(&UpstreamCondition::CredentialsMissing));
    html! {
        tr {
            td { (or_none(state.names.of(scope.account.as_ref()))) }
            td { (scope.region) }
            td {
                @match found {
                    None => { "not called yet" }
                    Some(found) if found.is_empty() => { "normal" }
                    Some(found) => span.bad { (names(found.iter().copied())) }
                }
            }
            td {
                @match upstream.credentials_obtained.get(&scope.account) {
                    None => span.bad { "none" }
                    Some(at) if is_missing => span.bad { "none; last obtained " (span(at.elapsed())) " ago" }
                    Some(at) => { "obtained " (span(at.elapsed())) " ago" }
                }
            }
            td { (pace(OperationKind::Read)) }
            td { (pace(OperationKind::Create)) }
            td { (upstream.retry_budgets.get(scope).map_or("not used yet".to_owned(), ToString::to_string)) }
        }
    }
}

fn names(found: impl Iterator<Item = UpstreamCondition>) -> String {
    found
        .map(UpstreamCondition::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

fn charts(state: &AdminState) -> Markup {
    let points = state.history.points();
    let line = |name, of: fn(&Point) -> Option<f64>| Line {
        name,
        values: points.iter().map(of).collect(),
    };
    let moments = history::KEPT.div_duration_f64(history::EVERY).round();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a small whole number"
    )]
    let draw = |title, unit, lines: &[Line]| chart(title, unit, moments as usize, lines);
    html! {
        section #charts {
            h2 { "Last " (history::KEPT.as_secs() / 60) " minutes" }
            @if points.is_empty() {
                p { "The charts begin " (history::EVERY.as_secs()) " s after the start." }
            }
            div.charts {
                (draw("Calls", "per second", &[line("completed", |point| Some(point.calls))]))
                (draw("Errors", "per second", &[
                    line("failed calls", |point| Some(point.errors)),
                    line("throttled attempts", |point| Some(point.throttled)),
                ]))
                (draw("Duration", "seconds", &[
                    line("median", |point| point.median),
                    line("95th percentile", |point| point.p95),
                ]))
                (draw("Pace", "attempts per second, while AWS throttles", &[
                    line("reads", |point| point.read_pace),
                    line("creates", |point| point.create_pace),
                ]))
            }
        }
    }
}

fn in_progress(state: &AdminState) -> Markup {
    let calls = state.calls.in_progress();
    html! {
        section #in-progress {
            h2 { "Calls in progress: " (calls.len()) }
            @if !calls.is_empty() {
                div.wide {
                    table {
                        thead {
                            tr {
                                th { "operation" } th { "caller" } th { "running for" } th { "attempt" }
                                th { "time left" } th { "request id" }
                            }
                        }
                        tbody { @for call in calls.iter().take(MAX_SHOWN) { (call_in_progress(call)) } }
                    }
                }
            }
            @if calls.len() > MAX_SHOWN { p { "Only the oldest " (MAX_SHOWN) " are shown." } }
        }
    }
}

fn call_in_progress(call: &CallInProgress) -> Markup {
    let CallInProgress {
        method,
        request_id,
        caller,
        age,
        attempt,
        left,
    } = call;
    html! {
        tr {
            td { (operation(method)) }
            td { (or_none(caller.as_deref())) }
            td { (span(*age)) }
            td { (attempt) }
            td { (left.map_or("–".to_owned(), span)) }
            td { code { (request_id) } }
        }
    }
}

fn failed(state: &AdminState) -> Markup {
    let calls = state.calls.failed();
    html! {
        section #failed {
            h2 { "Last errors" }
            @if calls.is_empty() {
                p { "None since the service started." }
            } @else {
                div.wide {
                    table {
                        thead {
                            tr {
                                th { "ended" } th { "operation" } th { "code" } th { "caller" } th { "took" }
                                th { "attempts" } th { "request id" } th { "AWS request id" }
                            }
                        }
                        @for call in &calls { (failed_call(call)) }
                    }
                }
                p { small { "The page keeps the last " (MAX_FAILED) " errors of each code." } }
            }
        }
    }
}

fn failed_call(call: &FailedCall) -> Markup {
    let FailedCall {
        at,
        method,
        request_id,
        caller,
        took,
        failure,
    } = call;
    let CallFailure {
        code,
        attempts,
        aws_request_id,
        fault,
    } = failure;
    html! {
        tbody {
            tr {
                td title=(at) { (since(*at)) " ago" }
                td { (operation(method)) }
                td { (code) }
                td { (or_none(caller.as_deref())) }
                td { (span(*took)) }
                td { (attempts) }
                td { code { (request_id) } }
                td { code { (or_none(aws_request_id.as_deref())) } }
            }
            @if let Some(fault) = fault {
                tr { td.why colspan="8" { (fault) } }
            }
        }
    }
}

fn log_filter() -> String {
    let filter = telemetry::log_filter();
    filter.map_or("not managed by this service".to_owned(), |filter| {
        filter.current().as_str().to_owned()
    })
}

/// The name of a method without its service.
fn operation(method: &str) -> &str {
    method.rsplit('/').next().unwrap_or(method)
}

fn or_none(text: Option<&str>) -> &str {
    text.unwrap_or("–")
}

fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn since(at: Timestamp) -> String {
    let passed: SignedDuration = at.duration_until(Timestamp::now());
    span(passed.try_into().unwrap_or_default())
}

/// A duration in its two largest units.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

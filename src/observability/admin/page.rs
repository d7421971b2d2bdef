//! The page for people: what runs, how it goes, what goes on, and what failed.

mod curve;

use std::time::Duration;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use jiff::{SignedDuration, Timestamp};
use maud::{DOCTYPE, Markup, html};

use self::curve::{Line, drawing};
use super::{
    Shown,
    history::{self, Point},
};
use crate::{
    domain::OperationKind,
    grpc::inbound::{Failed, InProgress, MAX_FAILED},
    observability::{readiness::Condition, telemetry},
};

/// How many calls in progress are shown.
const MAX_SHOWN: usize = 50;

/// Nothing from elsewhere, and nothing that was planted in a name.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css")], include_str!("page/page.css")).into_response()
}

pub(super) async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript")], include_str!("page/page.js")).into_response()
}

pub(super) async fn page(State(shown): State<Shown>) -> Response {
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
                // Without scripts it is loaded anew.
                noscript { meta http-equiv="refresh" content=(history::EVERY.as_secs()); }
            }
            body { main data-every=(history::EVERY.as_secs()) { (head(&shown)) (aws(&shown)) (curves(&shown)) (in_progress(&shown)) (failed(&shown)) } }
        }
    };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, page.into_string()).into_response()
}

fn head(shown: &Shown) -> Markup {
    let about = &shown.about;
    let reasons = shown.readiness.reasons();
    html! {
        header {
            h1 { "tapegate " small { (env!("CARGO_PKG_VERSION")) } }
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
            dt { "since" }
            dd { (second(about.started)) " (" (since(about.started)) ")" }
            dt { "gRPC" }
            dd { (about.grpc) }
            dt { "log" }
            dd { (telemetry::chosen().map_or("not this service's own".to_owned(), |log| log.now().as_str().to_owned())) }
        }
        nav {
            @for page in ["readyz", "livez", "metrics", "config", "log-filter"] {
                a href=(page) { "/" (page) }
                " "
            }
        }
    }
}

fn aws(shown: &Shown) -> Markup {
    let about = &shown.about;
    let conditions = shown.readiness.conditions();
    let paces = shown.shared.paces();
    let pace = |region: &_, kind: OperationKind| {
        let found = paces.iter().find(|(of, which, _)| of == region && *which == kind);
        found.map_or("free".to_owned(), |(_, _, rate)| format!("{rate:.1}/s"))
    };
    html! {
        section #aws {
            h2 { "AWS" }
            dl {
                dt { "endpoint" }
                dd { (about.endpoint.as_deref().unwrap_or("AWS's own")) }
                dt { "credentials" }
                dd {
                    @match shown.clients.credentials_obtained() {
                        Some(at) => { "obtained " (span(at.elapsed())) " ago" }
                        None => span.bad { "none" }
                    }
                }
                dt { "repeats left" }
                dd { (shown.shared.retry_budget()) }
            }
            div.wide {
                table {
                    thead { tr { th { "region" } th { "is" } th { "pace of reads" } th { "of creates" } } }
                    tbody {
                        @for region in &about.regions {
                            tr {
                                td { (region) }
                                td {
                                    @match conditions.get(region) {
                                        None => { "not called yet" }
                                        Some(found) if found.is_empty() => { "well" }
                                        Some(found) => span.bad { (names(found.iter().copied())) }
                                    }
                                }
                                td { (pace(region, OperationKind::Read)) }
                                td { (pace(region, OperationKind::Create)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn names(found: impl Iterator<Item = Condition>) -> String {
    found.map(Condition::as_str).collect::<Vec<_>>().join(", ")
}

fn curves(shown: &Shown) -> Markup {
    let points = shown.history.points();
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
    let draw = |title, unit, lines: &[Line]| drawing(title, unit, moments as usize, lines);
    html! {
        section #curves {
            h2 { "The last " (history::KEPT.as_secs() / 60) " minutes" }
            @if points.is_empty() {
                p { "There is nothing to draw before " (history::EVERY.as_secs()) " s have passed." }
            }
            div.curves {
                (draw("Calls", "a second", &[line("ended", |point| Some(point.calls))]))
                (draw("Errors", "a second", &[
                    line("of calls", |point| Some(point.errors)),
                    line("throttled attempts", |point| Some(point.throttled)),
                ]))
                (draw("Duration", "seconds", &[
                    line("half within", |point| point.median),
                    line("95 % within", |point| point.p95),
                ]))
                (draw("Pace", "attempts a second, where there is one", &[
                    line("reads", |point| point.read_pace),
                    line("creates", |point| point.create_pace),
                ]))
            }
        }
    }
}

fn in_progress(shown: &Shown) -> Markup {
    let calls = shown.view.in_progress();
    html! {
        section #in-progress {
            h2 { "Calls in progress: " (calls.len()) }
            @if !calls.is_empty() {
                div.wide {
                    table {
                        thead {
                            tr {
                                th { "operation" } th { "caller" } th { "for" } th { "attempt" } th { "time left" }
                                th { "request id" }
                            }
                        }
                        tbody { @for call in calls.iter().take(MAX_SHOWN) { (call_in_progress(call)) } }
                    }
                }
            }
            @if calls.len() > MAX_SHOWN { p { "The oldest " (MAX_SHOWN) " are shown." } }
        }
    }
}

fn call_in_progress(call: &InProgress) -> Markup {
    let InProgress {
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

fn failed(shown: &Shown) -> Markup {
    let calls = shown.view.failed();
    html! {
        section #failed {
            h2 { "Last errors" }
            @if calls.is_empty() {
                p { "None since the start." }
            } @else {
                div.wide {
                    table {
                        thead {
                            tr {
                                th { "ended" } th { "operation" } th { "code" } th { "caller" } th { "took" }
                                th { "attempts" } th { "request id" } th { "AWS's" }
                            }
                        }
                        @for call in &calls { (failed_call(call)) }
                    }
                }
                p { small { "The last " (MAX_FAILED) " of each code." } }
            }
        }
    }
}

fn failed_call(call: &Failed) -> Markup {
    let Failed {
        at,
        method,
        request_id,
        caller,
        code,
        took,
        attempts,
        aws_request_id,
        fault,
    } = call;
    html! {
        tbody {
            tr {
                td title=(at) { (since(*at)) " ago" }
                td { (operation(method)) }
                td { (format!("{code:?}")) }
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

/// A method without its service.
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

/// A time as people say it: its two largest units.
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

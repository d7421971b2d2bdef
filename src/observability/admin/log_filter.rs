use axum::body::Bytes;
use http::StatusCode;

use crate::observability::telemetry::{self, Chosen, Directives};

/// What is said in the place of a filter.
type Refusal = (StatusCode, String);

/// Which lines are logged now.
pub(super) async fn get() -> Result<String, Refusal> {
    Ok(now(log()?))
}

/// Logs by the directives of the body from now on, until the process ends.
pub(super) async fn put(body: Bytes) -> Result<String, Refusal> {
    let log = log()?;
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let Some(directives) = Directives::parse(text.trim()) else {
        let what = format!("the body has to be {}\n", Directives::EXPECTED);
        return Err((StatusCode::BAD_REQUEST, what));
    };
    if telemetry::name_the_audit(&directives) {
        let what = "the audit is not silenced from here: set log.filter, and start anew\n";
        return Err((StatusCode::BAD_REQUEST, what.to_owned()));
    }
    Ok(change(log, directives))
}

/// Logs by `log.filter` again.
pub(super) async fn delete() -> Result<String, Refusal> {
    let log = log()?;
    Ok(change(log, log.configured().clone()))
}

fn change(log: &Chosen, directives: Directives) -> String {
    tracing::warn!(
        target: telemetry::CHANGES,
        from = log.now().as_str(),
        to = directives.as_str(),
        "what is logged changes"
    );
    log.change(directives);
    now(log)
}

fn now(log: &Chosen) -> String {
    format!("{}\n", log.now().as_str())
}

fn log() -> Result<&'static Chosen, Refusal> {
    let absent = "the log of this process is not this service's own\n";
    telemetry::chosen().ok_or_else(|| (StatusCode::CONFLICT, absent.to_owned()))
}

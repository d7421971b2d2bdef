use axum::body::Bytes;
use http::StatusCode;

use crate::observability::telemetry::{self, Directives, LogFilter};

/// The response to a request that is rejected.
type Rejection = (StatusCode, String);

/// Shows the log filter in effect.
pub(super) async fn get() -> Result<String, Rejection> {
    Ok(shown(log_filter()?))
}

/// Replaces the log filter by the directives in the body, until the process ends.
pub(super) async fn put(body: Bytes) -> Result<String, Rejection> {
    let filter = log_filter()?;
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let Some(directives) = Directives::parse(text.trim()) else {
        let message = format!(
            "the body is not a log filter: it must be {}\n",
            Directives::EXPECTED
        );
        return Err((StatusCode::BAD_REQUEST, message));
    };
    if telemetry::names_audit(&directives) {
        let message = "the filter names tapegate::audit, which this page cannot change: set log.filter, and restart \
                       the service\n";
        return Err((StatusCode::BAD_REQUEST, message.to_owned()));
    }
    Ok(change(filter, directives))
}

/// Restores the filter of `log.filter`.
pub(super) async fn delete() -> Result<String, Rejection> {
    let filter = log_filter()?;
    Ok(change(filter, filter.configured().clone()))
}

fn change(filter: &LogFilter, directives: Directives) -> String {
    tracing::warn!(
        target: telemetry::LOG_CHANGES,
        from = filter.current().as_str(),
        to = directives.as_str(),
        "log filter changed"
    );
    filter.set(directives);
    shown(filter)
}

fn shown(filter: &LogFilter) -> String {
    format!("{}\n", filter.current().as_str())
}

fn log_filter() -> Result<&'static LogFilter, Rejection> {
    let message = "this process has a log subscriber of its own, which this page cannot change\n";
    telemetry::log_filter().ok_or_else(|| (StatusCode::CONFLICT, message.to_owned()))
}

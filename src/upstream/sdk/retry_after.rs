use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::clock::http_date;

/// The longest wait that an upstream is believed to need; a longer one is taken for this.
const MOST: Duration = Duration::from_secs(5 * 60);

/// How long an answer asks to wait before the next attempt.
///
/// AWS says so in `x-amz-retry-after`, in milliseconds. What stands between says so in the
/// `Retry-After` of a 429 or 503, in seconds or as a date (RFC 9110, section 10.2.3). No wait
/// at all is not asked for, and what cannot be read is no wish.
pub(super) fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let headers = answer.headers();
    let number = |name| headers.get(name)?.trim().parse().ok();
    let aws = || number("x-amz-retry-after").map(Duration::from_millis);
    let seconds = || number("retry-after").map(Duration::from_secs);
    let date = || {
        let until = http_date(answer, "retry-after")?;
        until.duration_since(http_date(answer, "date")?).ok()
    };
    let asked = match answer.status().as_u16() {
        429 | 503 => aws().or_else(seconds).or_else(date),
        _ => aws(),
    };
    asked
        .filter(|asked| !asked.is_zero())
        .map(|asked| asked.min(MOST))
}

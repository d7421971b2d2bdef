use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, header};
use jiff::{Timestamp, civil::DateTime, fmt::rfc2822, tz::TimeZone};

use super::{Rejection, incomplete, invalid};

const BASIC: &str = "%Y%m%dT%H%M%SZ";

/// The time at which a request was signed, by its headers.
pub(super) struct Date(Timestamp);

impl Date {
    /// The date in `X-Amz-Date`, or else in `Date`, which may also be an HTTP date.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let text = |name: &str| Some(headers.get(name)?.to_str().unwrap_or_default());
        let (text, date) = match (text("x-amz-date"), text(header::DATE.as_str())) {
            (Some(text), _) => (text, basic(text)),
            (None, Some(text)) => (text, basic(text).or_else(|| http(text))),
            (None, None) => {
                return Err(incomplete(
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
                ));
            }
        };
        let echo: String = text.chars().take(40).collect();
        date.map(Self)
            .ok_or_else(|| incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{echo}'.")))
    }

    /// Rejects a date that differs from `now` by more than `skew`.
    pub(super) fn check_near(&self, now: SystemTime, skew: Duration) -> Result<(), Rejection> {
        let now =
            Timestamp::try_from(now).map_err(|_| invalid("The clock of this machine is out of range."))?;
        let (earliest, latest) = (now.saturating_sub(skew), now.saturating_add(skew));
        let minutes = skew.as_secs() / 60;
        let (sent, clock) = (self.basic(), format(now));
        match (earliest, latest) {
            (Ok(earliest), _) if self.0 < earliest => Err(invalid(format!(
                "Signature expired: {sent} is now earlier than {} ({clock} - {minutes} min.)",
                format(earliest)
            ))),
            (_, Ok(latest)) if self.0 > latest => Err(invalid(format!(
                "Signature not yet current: {sent} is still later than {} ({clock} + {minutes} min.)",
                format(latest)
            ))),
            _ => Ok(()),
        }
    }

    /// `20261122T184500Z`.
    pub(super) fn basic(&self) -> String {
        format(self.0)
    }

    /// `20261122`.
    pub(super) fn day(&self) -> String {
        self.0.strftime("%Y%m%d").to_string()
    }

    pub(super) fn time(&self) -> SystemTime {
        self.0.into()
    }
}

fn basic(text: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime(BASIC, text).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn http(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

fn format(date: Timestamp) -> String {
    date.strftime(BASIC).to_string()
}

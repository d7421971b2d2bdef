use std::time::SystemTime;

use super::Invalid;

/// A time in UTC from the year 1 to the year 9999, in nanoseconds: the range of
/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
}

impl Timestamp {
    const YEAR_1: i64 = -62_135_596_800;
    const YEAR_10000: i64 = 253_402_300_800;

    /// A time in seconds since 1970, and nanoseconds (less than a second) after that.
    ///
    /// # Errors
    ///
    /// If it is outside the years 1 to 9999.
    pub fn new(seconds: i64, nanos: u32) -> Result<Self, Invalid> {
        if (Self::YEAR_1..Self::YEAR_10000).contains(&seconds) && nanos < 1_000_000_000 {
            Ok(Self { seconds, nanos })
        } else {
            Err(Invalid::new(format!(
                "{seconds}.{nanos:09} seconds since 1970 is outside the years 1 to 9999"
            )))
        }
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after [`Timestamp::seconds`], less than 1,000,000,000.
    pub fn nanos(self) -> u32 {
        self.nanos
    }

    /// Whether it is in the same second as this moment or later: the fraction of a second may be cut
    /// off.
    pub fn is_since(self, moment: SystemTime) -> bool {
        let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.seconds >= i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}

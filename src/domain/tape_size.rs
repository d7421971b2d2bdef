use super::Invalid;

const GIB: i64 = 1 << 30;
const TIB: i64 = 1 << 40;

/// The capacity of a tape: a multiple of 1 GiB within [`TapeSizeBounds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TapeSize(i64);

/// The smallest and the largest tape that may be asked for.
///
/// AWS documents 100 GiB and 15 TiB, and has raised the upper bound twice, so both
/// are settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeSizeBounds {
    min: i64,
    max: i64,
}

impl TapeSizeBounds {
    /// Bounds in GiB.
    ///
    /// # Errors
    ///
    /// When the smallest is 0, greater than the largest, or the largest is more bytes
    /// than the API's signed 64 bits hold.
    pub fn gib(min: i64, max: i64) -> Result<Self, Invalid> {
        let bytes = |gib: i64| gib.checked_mul(GIB);
        match (bytes(min), bytes(max)) {
            (Some(min), Some(max)) if 0 < min && min <= max => Ok(Self { min, max }),
            _ => Err(Invalid::new(format!(
                "tapes from {min} GiB to {max} GiB: the smallest must be above 0 and at most the largest, \
                 and the largest at most 8589934591 GiB"
            ))),
        }
    }

    /// The smallest capacity, in bytes.
    pub fn min(&self) -> i64 {
        self.min
    }
}

impl Default for TapeSizeBounds {
    fn default() -> Self {
        Self {
            min: 100 * GIB,
            max: 15 * TIB,
        }
    }
}

impl TapeSize {
    /// A capacity of so many bytes.
    ///
    /// # Errors
    ///
    /// When it is not a multiple of 1 GiB or is outside `bounds`.
    pub fn new(bytes: i64, bounds: &TapeSizeBounds) -> Result<Self, Invalid> {
        let TapeSizeBounds { min, max } = *bounds;
        if (min..=max).contains(&bytes) && bytes % GIB == 0 {
            return Ok(Self(bytes));
        }
        let gib = bytes.checked_mul(GIB).filter(|gib| (min..=max).contains(gib));
        let nearest = (bytes.clamp(min, max) / GIB * GIB).max(min);
        let hint = match gib {
            Some(gib) => format!("did you mean {bytes} GiB, which is {gib}?"),
            None if (min..=max).contains(&bytes) => format!("the next size below is {nearest}"),
            None => format!("the nearest size is {nearest}"),
        };
        Err(Invalid::new(format!(
            "{bytes} bytes is not a tape's size: a multiple of 1 GiB (1073741824) from {} GiB to {} GiB; {hint}",
            min / GIB,
            max / GIB
        )))
    }

    /// The capacity in bytes.
    pub fn bytes(self) -> i64 {
        self.0
    }
}

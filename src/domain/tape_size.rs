use super::Invalid;

const GIB: i64 = 1 << 30;
const TIB: i64 = 1 << 40;

/// The capacity of a tape: a multiple of 1 GiB within [`TapeSizeBounds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TapeSize(i64);

/// The smallest and the largest size of a new tape.
///
/// AWS documents 100 GiB and 15 TiB, and has raised the maximum twice, so both can be set.
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
    /// If the minimum is 0 or greater than the maximum, or if the maximum in bytes does not fit in 64
    /// bits with sign.
    pub fn gib(min: i64, max: i64) -> Result<Self, Invalid> {
        let bytes = |gib: i64| gib.checked_mul(GIB);
        match (bytes(min), bytes(max)) {
            (Some(min), Some(max)) if 0 < min && min <= max => Ok(Self { min, max }),
            _ => Err(Invalid::new(format!(
                "invalid tape sizes from {min} GiB to {max} GiB; the minimum must be above 0 and at most the \
                 maximum, and the maximum at most 8589934591 GiB"
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
    /// A capacity in bytes.
    ///
    /// # Errors
    ///
    /// If it is not a multiple of 1 GiB, or outside `bounds`.
    pub fn new(bytes: i64, bounds: &TapeSizeBounds) -> Result<Self, Invalid> {
        let TapeSizeBounds { min, max } = *bounds;
        if (min..=max).contains(&bytes) && bytes % GIB == 0 {
            return Ok(Self(bytes));
        }
        let gib = bytes.checked_mul(GIB).filter(|gib| (min..=max).contains(gib));
        let nearest = (bytes.clamp(min, max) / GIB * GIB).max(min);
        let hint = match gib {
            Some(gib) => format!("did you mean {bytes} GiB ({gib} bytes)?"),
            None if (min..=max).contains(&bytes) => format!("the next smaller size is {nearest}"),
            None => format!("the nearest valid size is {nearest}"),
        };
        Err(Invalid::new(format!(
            "{bytes} bytes is not a valid tape size; use a multiple of 1 GiB (1073741824 bytes) from {} GiB to {} GiB; \
             {hint}",
            min / GIB,
            max / GIB
        )))
    }

    /// The capacity in bytes.
    pub fn bytes(self) -> i64 {
        self.0
    }
}

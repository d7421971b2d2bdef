use std::fmt;

/// A tape's barcode: at most 16 of A–Z and 0–9. Its bytes are held in place and as one
/// number, since there may be millions to keep in order; it orders as its text does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Barcode(u128);

impl Barcode {
    /// The barcode of a text that the service model's pattern admits; `None` for any other.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let letters = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if !(5..=16).contains(&text.len()) || !text.bytes().all(letters) {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self(u128::from_be_bytes(bytes)))
    }

    /// A number under `n` that is the barcode's own, the same in every run.
    pub(crate) fn spread(self, n: u32) -> u32 {
        u32::try_from(self.0 % u128::from(n)).expect("a remainder is under its divisor")
    }
}

impl fmt::Display for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.to_be_bytes();
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        f.write_str(std::str::from_utf8(&bytes[..end]).expect("a barcode is made of ASCII alone"))
    }
}

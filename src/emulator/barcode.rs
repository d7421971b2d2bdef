use std::fmt;

/// A tape's barcode: at most 16 of A–Z and 0–9, held in place, since there may be
/// millions. Orders as its text does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Barcode([u8; 16]);

impl Barcode {
    /// The barcode of a text that the service model's pattern admits; `None` for any other.
    pub(super) fn new(text: &str) -> Option<Self> {
        let letters = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if !(5..=16).contains(&text.len()) || !text.bytes().all(letters) {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self(bytes))
    }

    pub(super) fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..end]).expect("a barcode is made of ASCII alone")
    }
}

impl fmt::Display for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

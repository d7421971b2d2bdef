use std::{fmt, str::FromStr};

use super::Invalid;

/// A tape's barcode: 5–16 characters of A–Z and 0–9 (service model).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Barcode(String);

/// The prefix of the barcodes of CreateTapes: 1–4 letters of A–Z (service model).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BarcodePrefix(String);

impl Barcode {
    /// The barcode's characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BarcodePrefix {
    /// The prefix's characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Barcode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let letters = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if (5..=16).contains(&text.len()) && text.bytes().all(letters) {
            return Ok(Self(text.to_owned()));
        }
        let upper = text.to_ascii_uppercase();
        if upper != text && upper.parse::<Self>().is_ok() {
            return Err(Invalid::new(format!(
                "{text:?} contains lower-case letters; did you mean {upper:?}?"
            )));
        }
        Err(Invalid::new(format!(
            "{} is not a barcode; use 5–16 characters of A–Z and 0–9",
            Invalid::quote(text)
        )))
    }
}

impl FromStr for BarcodePrefix {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase()) {
            return Ok(Self(text.to_owned()));
        }
        let upper = text.to_ascii_uppercase();
        if upper != text && upper.parse::<Self>().is_ok() {
            return Err(Invalid::new(format!(
                "{text:?} contains lower-case letters; did you mean {upper:?}?"
            )));
        }
        let hint = if text.len() > 4 && text.parse::<Barcode>().is_ok() {
            "; to choose the whole barcode, call CreateTapeWithBarcode"
        } else {
            ""
        };
        Err(Invalid::new(format!(
            "{} is not a barcode prefix; use 1–4 characters of A–Z, to which AWS adds six digits{hint}",
            Invalid::quote(text)
        )))
    }
}

impl fmt::Display for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

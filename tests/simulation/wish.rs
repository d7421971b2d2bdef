//! What callers want to exist.

use tapegate::grpc::proto::{CreateTapeWithBarcodeRequest, CreateTapesRequest};

/// The gateway that every tape is created for.
const GATEWAY: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B";

/// The size of every tape.
const SIZE: i64 = 100 << 30;

/// Tapes that a caller wants, and asks for until it knows that they are there. The same wish is always
/// the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// By a client token. The prefix of the barcodes belongs to no other wish.
    Tapes {
        token: String,
        prefix: String,
        count: i32,
    },
    /// By a barcode.
    Tape { barcode: String },
}

impl Wish {
    /// The wish of this number: by a token if `count` is given, and by a barcode otherwise.
    pub fn new(number: usize, count: Option<i32>) -> Self {
        match count {
            None => Self::Tape {
                barcode: format!("WISH{number:04}"),
            },
            Some(count) => Self::Tapes {
                token: format!("token-{number}"),
                prefix: prefix(number),
                count,
            },
        }
    }

    /// Whether a tape of this barcode belongs to the wish.
    pub fn has(&self, tape: &str) -> bool {
        match self {
            Self::Tapes { prefix, .. } => tape.starts_with(prefix.as_str()),
            Self::Tape { barcode } => tape == barcode,
        }
    }

    /// How many tapes it is for.
    pub fn count(&self) -> usize {
        match self {
            Self::Tapes { count, .. } => usize::try_from(*count).unwrap(),
            Self::Tape { .. } => 1,
        }
    }

    /// The words of the history for it.
    pub fn asked(&self) -> String {
        match self {
            Self::Tapes { token, count, .. } => format!("{count} tapes by {token}"),
            Self::Tape { barcode } => format!("the tape {barcode}"),
        }
    }
}

/// Four letters for each number.
fn prefix(number: usize) -> String {
    const LETTERS: usize = 26;
    let letter = |place: u32| number / LETTERS.pow(place) % LETTERS;
    (0..4)
        .rev()
        .map(|place| char::from(b'A' + u8::try_from(letter(place)).unwrap()))
        .collect()
}

/// The request for tapes by a token.
pub fn tapes(token: &str, prefix: &str, count: i32) -> CreateTapesRequest {
    CreateTapesRequest {
        gateway_arn: GATEWAY.to_owned(),
        tape_size_in_bytes: SIZE,
        client_token: token.to_owned(),
        num_tapes_to_create: count,
        tape_barcode_prefix: prefix.to_owned(),
        ..Default::default()
    }
}

/// The request for the tape of a barcode.
pub fn tape(barcode: &str) -> CreateTapeWithBarcodeRequest {
    CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.to_owned(),
        tape_size_in_bytes: SIZE,
        tape_barcode: barcode.to_owned(),
        ..Default::default()
    }
}

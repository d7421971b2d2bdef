//! Responses of lists. The rows of a page that callers share are encoded once for all of them.

use bytes::{BufMut, Bytes};
use prost::{EncodeError, Message};

use super::{
    codec::Encode,
    proto::{
        DescribeTapeArchivesResponse as DescribeTapeArchivesMessage,
        DescribeTapesResponse as DescribeTapesMessage, ListTapesResponse as ListTapesMessage,
    },
};

/// The response of DescribeTapeArchives.
pub type DescribeTapeArchivesResponse = ListResponse<DescribeTapeArchivesMessage>;

/// The response of DescribeTapes.
pub type DescribeTapesResponse = ListResponse<DescribeTapesMessage>;

/// The response of ListTapes.
pub type ListTapesResponse = ListResponse<ListTapesMessage>;

/// A message in two parts. A concatenation of encodings is an encoding of the merged messages
/// (<https://protobuf.dev/programming-guides/encoding/#last-one-wins>).
#[derive(Clone, Debug)]
pub struct ListResponse<M> {
    /// An encoding of the message with its rows only, or nothing.
    rows: Bytes,
    /// The other fields, and the rows if `rows` has none.
    rest: M,
}

impl<M: Message> ListResponse<M> {
    /// The response whose rows are already encoded.
    pub fn with_encoded_rows(rows: Bytes, rest: M) -> Self {
        Self { rows, rest }
    }

    /// The number of bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        self.rows.len() + self.rest.encoded_len()
    }
}

impl<M> From<M> for ListResponse<M> {
    fn from(message: M) -> Self {
        Self {
            rows: Bytes::new(),
            rest: message,
        }
    }
}

impl<M: Message> Encode for ListResponse<M> {
    fn encode_to(&self, to: &mut impl BufMut) -> Result<(), EncodeError> {
        to.put_slice(&self.rows);
        self.rest.encode(to)
    }
}

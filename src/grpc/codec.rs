//! The codec of the generated code: Protobuf that rejects requests of which it would silently ignore a
//! part.

use std::{
    collections::{BTreeSet, HashMap},
    marker::PhantomData,
    sync::LazyLock,
};

use bytes::{Buf, BufMut, Bytes};
use prost::{
    DecodeError, EncodeError, Message, Name,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::grpc::status;

/// The encoded descriptor set of the proto files and their imports.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("tapegate.v1");

/// Rejects requests with fields that this build does not know, and with several members of one `oneof`,
/// because it would silently ignore the fields, and all members but the last. Responses, which a client decodes with the same codec, may have fields of a newer service.
#[derive(Debug)]
pub struct StrictCodec<T, U>(PhantomData<(T, U)>);

/// See [`StrictCodec`].
#[derive(Debug)]
pub struct PageEncoder<T>(PhantomData<T>);

/// See [`StrictCodec`].
#[derive(Debug)]
pub struct StrictDecoder<U>(PhantomData<U>);

impl<T, U> Default for StrictCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for StrictCodec<T, U>
where
    T: Encode + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = PageEncoder<T>;
    type Decoder = StrictDecoder<U>;

    fn encoder(&mut self) -> PageEncoder<T> {
        PageEncoder(PhantomData)
    }

    fn decoder(&mut self) -> StrictDecoder<U> {
        StrictDecoder(PhantomData)
    }
}

/// A message that can be sent.
pub trait Encode {
    /// Appends the encoding.
    ///
    /// # Errors
    ///
    /// If there is no room for it.
    fn encode_to(&self, to: &mut impl BufMut) -> Result<(), EncodeError>;
}

impl<M: Message> Encode for M {
    fn encode_to(&self, to: &mut impl BufMut) -> Result<(), EncodeError> {
        self.encode(to)
    }
}

impl<T: Encode> Encoder for PageEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode_to(to)
            .map_err(|error| status::internal(&format!("the response could not be encoded: {error}")))
    }

    /// Sends each message alone. To collect several, tonic would fetch pages that the reader is not
    /// ready for.
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(8 * 1024, 1)
    }
}

impl<U: Message + Name + Default> Decoder for StrictDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        let malformed = |error: DecodeError| status::malformed(&error.to_string());
        let request = REQUESTS.get(&*U::full_name());
        // First, because it also bounds the work of decoding.
        if let Some(request) = request {
            let mut ignored = Ignored::default();
            ignored.find(request, bytes.clone()).map_err(malformed)?;
            ignored.check(request).map_err(|what| status::malformed(&what))?;
        }
        U::decode(bytes).map(Some).map_err(malformed)
    }
}

/// The request messages, by their full names.
static REQUESTS: LazyLock<HashMap<String, MessageDescriptor>> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("the build generates valid descriptors");
    let inputs = pool
        .services()
        .flat_map(|service| service.methods().map(|method| method.input()).collect::<Vec<_>>());
    inputs
        .map(|input| (input.full_name().to_owned(), input))
        .collect()
});

/// The most values of a request: five times what AWS takes in a list. More are not looked at, since each is work,
/// and a MiB has room for half a million empty ones.
const MAX_VALUES: usize = 5_000;

/// The most fields that an error lists.
const MAX_LISTED: usize = 10;

/// What decoding would silently ignore of a message, and whether it is too much work.
#[derive(Default)]
struct Ignored {
    /// How many values were looked at.
    values: usize,
    /// The fields that the type does not have, as message and number.
    unknown: BTreeSet<String>,
    /// The members of a `oneof` that are set together, as `one and other`.
    together: BTreeSet<String>,
}

impl Ignored {
    fn find(&mut self, kind: &MessageDescriptor, mut message: Bytes) -> Result<(), DecodeError> {
        let mut members: Vec<FieldDescriptor> = Vec::new();
        while message.has_remaining() && self.unknown.len() < MAX_LISTED && self.values <= MAX_VALUES {
            let (number, wire_type) = decode_key(&mut message)?;
            self.values += 1;
            let field = kind.get_field(number);
            if let Some(field) = &field
                && field
                    .containing_oneof()
                    .is_some_and(|oneof| !oneof.is_synthetic())
            {
                self.add_member(&mut members, field);
            }
            match field.map(|field| field.kind()) {
                Some(Kind::Message(inner)) if wire_type == WireType::LengthDelimited => {
                    let length = usize::try_from(decode_varint(&mut message)?).unwrap_or(usize::MAX);
                    let inner_message = message.split_to(length.min(message.len()));
                    self.find(&inner, inner_message)?;
                }
                known => {
                    if known.is_none() {
                        self.unknown.insert(format!("{}.{number}", kind.name()));
                    }
                    skip_field(wire_type, number, &mut message, DecodeContext::default())?;
                }
            }
        }
        Ok(())
    }

    fn add_member(&mut self, members: &mut Vec<FieldDescriptor>, field: &FieldDescriptor) {
        if members.contains(field) {
            return;
        }
        let other = members
            .iter()
            .find(|other| other.containing_oneof() == field.containing_oneof());
        if let Some(other) = other {
            let (first, second) = match other.number() < field.number() {
                true => (other, field),
                false => (field, other),
            };
            self.together
                .insert(format!("{} and {}", first.name(), second.name()));
        }
        members.push(field.clone());
    }

    /// The error with everything that was found, if there is something.
    fn check(self, request: &MessageDescriptor) -> Result<(), String> {
        let list = |found: BTreeSet<String>| found.into_iter().collect::<Vec<_>>().join(", ");
        let mut faults = Vec::new();
        if self.values > MAX_VALUES {
            faults.push(format!(
                "{} has more than {MAX_VALUES} values; name fewer tapes in one call",
                request.name()
            ));
        }
        if !self.unknown.is_empty() {
            let unknown = list(self.unknown);
            faults.push(format!(
                "{} has unknown fields, which this version cannot pass on to AWS; remove them: {unknown}",
                request.name(),
            ));
        }
        if !self.together.is_empty() {
            let together = list(self.together);
            faults.push(format!(
                "{} has several members of one oneof, of which only one counts; send one of {together}",
                request.name(),
            ));
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults.join("; ")),
        }
    }
}

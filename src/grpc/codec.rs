//! The codec of the generated code: Protobuf that rejects unknown fields of requests.

use std::{
    collections::{BTreeSet, HashMap},
    marker::PhantomData,
    sync::LazyLock,
};

use bytes::{Buf, Bytes};
use prost::{
    DecodeError, Message, Name,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::grpc::status;

/// The encoded descriptor set of the proto files and their imports.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("tapegate.v1");

/// Rejects requests with fields that this build does not know, because it would silently ignore them.
/// Responses, which a client decodes with the same codec, may have fields of a newer service.
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
    T: Message + Send + 'static,
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

impl<T: Message> Encoder for PageEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(to)
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
        let message = U::decode(bytes.clone()).map_err(|error| status::malformed(&error.to_string()))?;
        if let Some(request) = REQUESTS.get(&*U::full_name()) {
            let mut unknown = BTreeSet::new();
            find_unknown(request, bytes, &mut unknown)
                .map_err(|error| status::malformed(&error.to_string()))?;
            if !unknown.is_empty() {
                return Err(status::malformed(&format!(
                    "{} has unknown fields, which this version cannot pass on to AWS; remove them: {}",
                    request.name(),
                    unknown.into_iter().collect::<Vec<_>>().join(", ")
                )));
            }
        }
        Ok(Some(message))
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

/// The most unknown fields that an error lists.
const MAX_LISTED: usize = 10;

/// Collects the fields of an encoded message that its type does not have, as message and number.
fn find_unknown(
    kind: &MessageDescriptor,
    mut message: Bytes,
    unknown: &mut BTreeSet<String>,
) -> Result<(), DecodeError> {
    while message.has_remaining() && unknown.len() < MAX_LISTED {
        let (number, wire_type) = decode_key(&mut message)?;
        match kind.get_field(number).map(|field| field.kind()) {
            Some(Kind::Message(inner)) if wire_type == WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut message)?).unwrap_or(usize::MAX);
                let inner_message = message.split_to(length.min(message.len()));
                find_unknown(&inner, inner_message, unknown)?;
            }
            known => {
                if known.is_none() {
                    unknown.insert(format!("{}.{number}", kind.name()));
                }
                skip_field(wire_type, number, &mut message, DecodeContext::default())?;
            }
        }
    }
    Ok(())
}

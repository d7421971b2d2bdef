//! Rejects what follows the message of a request that has one.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};
use tower::Service;

use super::method;
use crate::{call::middleware::Middleware, grpc::status};

/// Rejects a request that goes on after its message. tonic decodes such messages and throws them away, as many as
/// there are, without a pause in which other tasks could run and the deadline could pass.
#[derive(Clone, Copy, Debug)]
pub struct OneMessage;

impl<S, R> Middleware<S, Request<Body>> for OneMessage
where
    S: Service<Request<Body>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Future = S::Future;

    fn call(&self, inner: &mut S, request: Request<Body>) -> S::Future {
        // Its requests are streams.
        if method::is_reflection(request.uri().path()) {
            return inner.call(request);
        }
        inner.call(request.map(|body| {
            Body::new(OneMessageBody {
                body,
                message: Message::default(),
            })
        }))
    }
}

/// The body of a request with one message.
struct OneMessageBody {
    body: Body,
    message: Message,
}

impl http_body::Body for OneMessageBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && self.message.goes_on_after(data.clone())
        {
            // What is left of it is read away.
            self.body = Body::empty();
            let what = "the request has more than one message; send one, and then the end of the stream";
            return Poll::Ready(Some(Err(status::malformed(what))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The bytes of the head of a message: a flag and the length.
const HEAD: usize = 5;

/// A message of gRPC, as far as it has come.
#[derive(Debug, Default)]
struct Message {
    /// How much of the head has come, and the length as far as it is known.
    head: usize,
    length: usize,
}

impl Message {
    /// Takes the next bytes. Returns whether there are any after the end of the message.
    fn goes_on_after(&mut self, mut bytes: Bytes) -> bool {
        while self.head < HEAD && bytes.has_remaining() {
            let byte = bytes.get_u8();
            if self.head > 0 {
                self.length = self.length << 8 | usize::from(byte);
            }
            self.head += 1;
        }
        let taken = self.length.min(bytes.len());
        self.length -= taken;
        bytes.len() > taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Whether these bytes have more than one message, in pieces of these lengths.
    fn goes_on(bytes: &[u8], pieces: &[usize]) -> bool {
        let mut message = Message::default();
        let mut left = bytes;
        let mut goes_on = false;
        for length in pieces.iter().cycle() {
            if left.is_empty() {
                break;
            }
            let (piece, rest) = left.split_at((*length).min(left.len()));
            goes_on |= message.goes_on_after(Bytes::copy_from_slice(piece));
            left = rest;
        }
        goes_on
    }

    proptest! {
        #[test]
        fn one_message_is_told_from_more(
            content in vec(any::<u8>(), 0..600),
            more in vec(any::<u8>(), 1..20),
            pieces in vec(1_usize..50, 1..10),
        ) {
            let length = u32::try_from(content.len()).expect("it is short").to_be_bytes();
            let one = [&[0], &length[..], &content].concat();
            prop_assert!(!goes_on(&one, &pieces));
            prop_assert!(goes_on(&[one, more].concat(), &pieces));
        }
    }
}

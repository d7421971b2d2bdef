//! The frames in the bytes of a connection (RFC 9113, sections 4.1 and 6).

/// The bytes of the head of a frame: length, type, flags and stream.
const HEAD: usize = 9;

/// The first bytes of a payload that can be needed: those of GOAWAY up to the end of its error code, and all of
/// PING.
const NEEDED: usize = 8;

const HEADERS: u8 = 0x1;
const DATA: u8 = 0x0;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const CONTINUATION: u8 = 0x9;

/// The flag of a SETTINGS or PING that answers another one.
const ACK: u8 = 0x1;

/// The flag of the last frame of a request or response.
const END_STREAM: u8 = 0x1;

/// The bits of a stream's number; the first one is reserved.
const STREAM: u32 = 0x7fff_ffff;

/// The flag of a frame with padding, which is no content.
const PADDED: u8 = 0x8;

/// A DATA frame with fewer bytes of content costs the service more than its client, unless it ends a
/// request.
const MIN_CONTENT: usize = 256;

/// What is told apart of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// DATA with at least [`MIN_CONTENT`] bytes and no padding, or the end of a request.
    Data,
    /// The HEADERS of a new call, with the number of its bytes.
    Begin(usize),
    /// Other HEADERS or CONTINUATION, with the number of their bytes.
    Fields(usize),
    /// A PING or SETTINGS that the other end has to answer.
    Question,
    /// The answer to a PING with this payload.
    Answer([u8; NEEDED]),
    /// RST_STREAM or GOAWAY, with its error code.
    End(u32),
    /// Any other.
    Control,
}

/// Finds the frames in the bytes of one direction, in whatever pieces they come.
#[derive(Debug)]
pub(super) struct FrameHeads {
    /// The number of bytes before the next head.
    skip: usize,
    /// The head of a frame and the beginning of its payload, as far as it has come.
    head: [u8; HEAD + NEEDED],
    length: usize,
    /// The latest stream that has begun.
    last_stream: u32,
}

/// A PING, as bytes.
pub(super) fn ping(payload: [u8; 8]) -> Vec<u8> {
    [&[0, 0, 8, PING, 0, 0, 0, 0, 0], &payload[..]].concat()
}

impl FrameHeads {
    /// The frames that begin after so many bytes.
    pub(super) fn after(skip: usize) -> Self {
        Self {
            skip,
            head: [0; HEAD + NEEDED],
            length: 0,
            last_stream: 0,
        }
    }

    /// How many bytes there are up to the end of the next head.
    pub(super) fn up_to_next_head(&self) -> u64 {
        (self.skip + self.needed() - self.length) as u64
    }

    /// Reads the next bytes, and calls `see` with each frame whose head they complete.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut see: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            let missing = self.needed() - self.length;
            let (next, rest) = bytes[skipped..].split_at(missing.min(bytes.len() - skipped));
            self.head[self.length..][..next.len()].copy_from_slice(next);
            self.length += next.len();
            bytes = rest;
            if self.length == self.needed() {
                see(self.frame());
                self.skip = HEAD + self.payload() - self.length;
                self.length = 0;
            }
        }
    }

    /// How many bytes the head has, with what is needed of the payload.
    fn needed(&self) -> usize {
        match self.head[3] {
            RST_STREAM | GOAWAY | PING if self.length >= HEAD => HEAD + self.payload().min(NEEDED),
            _ => HEAD,
        }
    }

    /// The length of the payload.
    fn payload(&self) -> usize {
        let [high, middle, low, ..] = self.head;
        usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
    }

    /// What has come of the payload.
    fn payload_so_far(&self) -> &[u8] {
        self.head[..self.length].get(HEAD..).unwrap_or_default()
    }

    /// Whether a stream begins with these HEADERS.
    fn begins(&mut self) -> bool {
        let id = self.head[..HEAD].last_chunk().copied().map(u32::from_be_bytes);
        let id = id.unwrap_or_default() & STREAM;
        let begins = id > self.last_stream;
        self.last_stream = self.last_stream.max(id);
        begins
    }

    fn frame(&mut self) -> Frame {
        let [kind, flags] = [self.head[3], self.head[4]];
        match kind {
            DATA if flags & END_STREAM != 0 => Frame::Data,
            DATA if flags & PADDED == 0 && self.payload() >= MIN_CONTENT => Frame::Data,
            HEADERS if self.begins() => Frame::Begin(self.payload()),
            HEADERS | CONTINUATION => Frame::Fields(self.payload()),
            SETTINGS | PING if flags & ACK == 0 => Frame::Question,
            PING => self
                .payload_so_far()
                .first_chunk()
                .map_or(Frame::Control, |payload| Frame::Answer(*payload)),
            RST_STREAM => self.end(0),
            GOAWAY => self.end(4),
            _ => Frame::Control,
        }
    }

    /// The frame that ends something, with its error code at this place of the payload, if the payload has one.
    fn end(&self, at: usize) -> Frame {
        let code = self.payload_so_far().get(at..);
        let code = code.and_then(|code| code.first_chunk().copied());
        code.map_or(Frame::Control, |code| Frame::End(u32::from_be_bytes(code)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        [&head[..], payload].concat()
    }

    /// A frame as bytes, and what it is.
    fn any_frame() -> impl Strategy<Value = (Vec<u8>, Frame)> {
        let payload = vec(any::<u8>(), 0..600);
        prop_oneof![
            vec(any::<u8>(), 256..600).prop_map(|payload| (frame(DATA, 0, &payload), Frame::Data)),
            vec(any::<u8>(), 0..256).prop_map(|payload| (frame(DATA, 0, &payload), Frame::Control)),
            payload
                .clone()
                .prop_map(|payload| (frame(DATA, PADDED, &payload), Frame::Control)),
            vec(any::<u8>(), 0..600).prop_map(|payload| (frame(DATA, END_STREAM, &payload), Frame::Data)),
            payload
                .clone()
                .prop_map(|payload| (frame(HEADERS, 0, &payload), Frame::Begin(payload.len()))),
            payload
                .clone()
                .prop_map(|payload| (frame(CONTINUATION, 0, &payload), Frame::Fields(payload.len()))),
            any::<[u8; 8]>().prop_map(|payload| (frame(PING, 0, &payload), Frame::Question)),
            any::<[u8; 8]>().prop_map(|payload| (frame(PING, ACK, &payload), Frame::Answer(payload))),
            Just((frame(SETTINGS, 0, &[]), Frame::Question)),
            any::<u32>().prop_map(|code| (frame(RST_STREAM, 0, &code.to_be_bytes()), Frame::End(code))),
            (any::<u32>(), payload.clone()).prop_map(|(code, debug)| {
                let payload = [&[0; 4][..], &code.to_be_bytes(), &debug].concat();
                (frame(GOAWAY, 0, &payload), Frame::End(code))
            }),
            (payload, 0xa_u8..).prop_map(|(payload, kind)| (frame(kind, 0, &payload), Frame::Control)),
            // Too short for its code, which is an error of the other end.
            Just((frame(RST_STREAM, 0, &[1]), Frame::Control)),
        ]
    }

    proptest! {
        #[test]
        fn frames_are_found_in_whatever_pieces_they_come(
            frames in vec(any_frame(), 0..20),
            skip in 0_usize..30,
            pieces in vec(1_usize..100, 1..10),
        ) {
            let mut bytes = vec![0xff; skip];
            bytes.extend(frames.iter().flat_map(|(bytes, _)| bytes));
            let mut heads = FrameHeads::after(skip);
            let mut found = Vec::new();
            let mut left = &bytes[..];
            for length in pieces.iter().cycle() {
                if left.is_empty() {
                    break;
                }
                let (piece, rest) = left.split_at((*length).min(left.len()));
                heads.read(piece, |frame| found.push(frame));
                left = rest;
            }
            // All are of one stream, which begins once.
            let mut has_begun = false;
            let sent: Vec<_> = frames.into_iter().map(|(_, frame)| match frame {
                Frame::Begin(bytes) if std::mem::replace(&mut has_begun, true) => Frame::Fields(bytes),
                frame => frame,
            }).collect();
            prop_assert_eq!(found, sent);
        }
    }
}

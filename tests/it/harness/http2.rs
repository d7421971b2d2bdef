//! HTTP/2 frame by frame, for clients that no library would be.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;

pub const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The flag of SETTINGS and PING.
pub const ACK: u8 = 1;

/// The identifier of SETTINGS_INITIAL_WINDOW_SIZE.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// A frame that the service has sent.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Whether it is of this kind and stream.
    pub fn is(&self, kind: u8, stream: u32) -> bool {
        (self.kind, self.stream) == (kind, stream)
    }

    /// Whether it is the last one of this stream.
    pub fn ends(&self, stream: u32) -> bool {
        self.stream == stream
            && (self.kind == RST_STREAM
                || matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0)
    }
}

/// The side of a connection that writes.
pub struct Writer(OwnedWriteHalf);

/// The side of a connection that reads.
pub struct Reader(OwnedReadHalf);

/// Opens a connection with this window for each stream, and a receive buffer of this size in the
/// kernel, if it is not to be the usual one.
pub async fn connect(address: SocketAddr, window: u32, buffer: Option<u32>) -> (Writer, Reader) {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(buffer) = buffer {
        socket.set_recv_buffer_size(buffer).unwrap();
    }
    let (reader, writer) = socket.connect(address).await.unwrap().into_split();
    let mut writer = Writer(writer);
    writer.bytes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let settings = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat();
    writer.frame(SETTINGS, 0, 0, &settings).await.unwrap();
    (writer, Reader(reader))
}

impl Writer {
    pub async fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    pub async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.bytes(&[&head, payload].concat()).await
    }

    /// The head of a call of the tape service, with these headers beside those of gRPC.
    pub async fn head(&mut self, stream: u32, method: &str, headers: &[(&str, &str)]) {
        self.head_of(stream, &format!("/tapegate.v1.TapeService/{method}"), headers)
            .await;
    }

    /// The head of a call with this path.
    pub async fn head_of(&mut self, stream: u32, path: &str, headers: &[(&str, &str)]) {
        let of_grpc = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ];
        let block: Vec<u8> = of_grpc
            .iter()
            .chain(headers)
            .flat_map(|(name, value)| literal(name, value))
            .collect();
        self.frame(HEADERS, END_HEADERS, stream, &block).await.unwrap();
    }

    /// The only message of a call.
    pub async fn message(&mut self, stream: u32, message: &[u8]) {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let framed = [&[0], &length[..], message].concat();
        self.frame(DATA, END_STREAM, stream, &framed).await.unwrap();
    }

    /// Gives the service room for this many bytes more, on all streams together.
    pub async fn open_window(&mut self, bytes: u32) {
        self.frame(WINDOW_UPDATE, 0, 0, &bytes.to_be_bytes())
            .await
            .unwrap();
    }

    /// Acknowledges the settings of the service.
    pub async fn acknowledge(&mut self) {
        self.frame(SETTINGS, ACK, 0, &[]).await.unwrap();
    }
}

/// A header as HPACK writes it without its tables and without Huffman's code (RFC 7541, section
/// 6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&length(text.len())[..], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// A length in 7 bits, and those that follow if they are too few (RFC 7541, section 5.1).
fn length(length: usize) -> Vec<u8> {
    let Some(mut rest) = length.checked_sub(127) else {
        return vec![u8::try_from(length).unwrap()];
    };
    let mut bytes = vec![127];
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128 + 128).unwrap());
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

impl Reader {
    /// The next frame; `None` at the end of the connection.
    ///
    /// # Errors
    ///
    /// If the connection was reset.
    pub async fn frame(&mut self) -> std::io::Result<Option<Frame>> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u32::from(*byte))
        };
        let mut payload = vec![0; number(&head[..3]) as usize];
        self.0.read_exact(&mut payload).await?;
        Ok(Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: number(&head[5..]) & 0x7fff_ffff,
            payload,
        }))
    }
}

/// Sends so many bytes of a request on the first stream of a connection, as fast as flow control allows.
pub async fn send_part(writer: &mut Writer, reader: &mut Reader, bytes: usize) {
    const PIECE: usize = 10_000;
    // Of the connection and of the stream.
    let mut left = [65_535; 2];
    for _ in 0..bytes / PIECE {
        while left.iter().any(|left| *left < PIECE) {
            let frame = reader.frame().await.unwrap().unwrap();
            if frame.kind == WINDOW_UPDATE {
                let more = u32::from_be_bytes(frame.payload[..4].try_into().unwrap());
                left[usize::from(frame.stream > 0)] += more as usize;
            }
        }
        writer.frame(DATA, 0, 1, &[0; PIECE]).await.unwrap();
        left = left.map(|left| left - PIECE);
    }
}

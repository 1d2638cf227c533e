//! A client that hides nothing: one blocking socket, any request in any version, or any bytes.
//!
//! Each response is walked by its shape and must be decoded to its last byte, so that whatever test uses it also shows
//! that the broker's answers are well formed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tickertape_broker::wire::{guard, shapes};

/// How long to wait for an answer that must come. A test that meets it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    next_correlation_id: i32,
    /// Whether the end of the connection is no surprise: see [`Client::until_closed`].
    may_close: bool,
}

/// What ends the work of [`Client::until_closed`].
struct Closed;

impl Client {
    /// Connects to `host:port`.
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            next_correlation_id: 1,
            may_close: false,
        }
    }

    /// Works over a connection of its own until the broker is gone, wherever the work is then.
    pub(crate) fn until_closed(address: &str, work: impl FnOnce(&mut Self)) {
        let mut client = Self::connect(address);
        client.may_close = true;
        let ended = catch_unwind(AssertUnwindSafe(|| work(&mut client)));
        if let Err(reason) = ended
            && !reason.is::<Closed>()
        {
            resume_unwind(reason);
        }
    }

    fn closed(&self) -> ! {
        if self.may_close {
            // Without the message of a panic.
            resume_unwind(Box::new(Closed));
        }
        panic!("a closed connection and not an answer");
    }

    /// Sends a request and waits for its response, checking the correlation id.
    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let correlation_id = self.send(version, request);
        let (answered, response) = self.receive::<R>(version);
        assert_eq!(answered, correlation_id, "answers come in the order of their requests");
        response
    }

    /// Sends a request and returns its correlation id.
    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        if let Err(error) = self.send_bytes(&frame(version, correlation_id, request)) {
            assert!(self.may_close, "{error}");
            self.closed();
        }
        correlation_id
    }

    /// Waits for the response to a request of that type and version: its correlation id and body.
    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> (i32, R::Response) {
        let Some(frame) = self.receive_frame() else {
            self.closed()
        };
        decode_response::<R>(frame, version)
    }

    /// Sends bytes as they are. An error means that the broker has closed the connection.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish_sending(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Waits for a frame and returns it without its length; `None` when the broker has closed the connection.
    pub(crate) fn receive_frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.read_or_closed(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        assert!(length < 1 << 30, "a response of {length} bytes");
        let mut frame = BytesMut::zeroed(length);
        self.read_or_closed(&mut frame)?;
        Some(frame.freeze())
    }

    fn read_or_closed(&mut self, buffer: &mut [u8]) -> Option<()> {
        use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
        match self.stream.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset | UnexpectedEof) => None,
            Err(error) => panic!("neither an answer nor a closed connection: {error}"),
        }
    }
}

/// A whole frame, length included.
pub(crate) fn frame<R: Request>(version: i16, correlation_id: i32, request: &R) -> Vec<u8> {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    frame_of(R::KEY, version, correlation_id, &body)
}

/// A whole frame around any body.
pub(crate) fn frame_of(api_key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let header_version = shapes::request(api_key).map_or(1, |shape| shape.header_version(version));
    let header = RequestHeader::default()
        .with_request_api_key(api_key)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("it")));
    let mut frame = BytesMut::zeroed(4);
    header.encode(&mut frame, header_version).unwrap();
    frame.extend_from_slice(body);
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame.to_vec()
}

/// Decodes a response frame (without its length) to the last byte: its correlation id and body.
pub(crate) fn decode_response<R: Request>(mut frame: Bytes, version: i16) -> (i32, R::Response) {
    let header_version = <R::Response as HeaderVersion>::header_version(version);
    let header = ResponseHeader::decode(&mut frame, header_version).unwrap();
    let shape = shapes::response(R::KEY).unwrap();
    let walked = guard::check(shape, version, &frame);
    assert_eq!(walked, Ok(frame.len()), "{} version {version} is malformed", shape.name);
    let response = R::Response::decode(&mut frame, version).unwrap();
    assert!(!frame.has_remaining());
    (header.correlation_id, response)
}

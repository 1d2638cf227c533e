//! Connections of hostile peers, each with its manners, and what they insist on: whatever comes back is the well-formed
//! answer to the frame whose turn it is.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use socket2::SockRef;
use tickertape_broker::wire::{guard, shapes};

use super::breakage::{Frame, Meant};

/// How long an answer, or the end of a connection, may take to come. A run that meets it has failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a peer that does not read tries to send.
const STALL: Duration = Duration::from_millis(50);

/// How a peer behaves beyond its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    /// Sends all, says that this was all, reads every answer.
    Polite,
    /// The same in pieces that end anywhere.
    Pieces,
    /// Leaves without a word, and without having read.
    Reset,
    /// Stays, and reads nothing.
    Stalled,
}

impl Manners {
    pub(super) fn any(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..50) {
            0 => Manners::Pieces,
            1 => Manners::Reset,
            2 => Manners::Stalled,
            _ => Manners::Polite,
        }
    }
}

/// An answer, without its header.
pub(super) struct Answer {
    pub(super) key: i16,
    pub(super) version: i16,
    pub(super) body: Bytes,
}

/// What became of some frames.
#[derive(Default)]
pub(super) struct Delivered {
    /// How many of them, from the first on, were answered, closed upon, or sent to nobody's answer.
    pub(super) handled: usize,
    pub(super) answers: Vec<Answer>,
    /// The connection of a peer that stays.
    pub(super) stalled: Option<TcpStream>,
}

/// Sends frames on a connection of their own; an error says what the broker did that no broker does.
pub(super) fn deliver(
    address: &str,
    frames: &[(Frame, Meant)],
    manners: Manners,
    rng: &mut ChaCha8Rng,
) -> Result<Delivered, String> {
    let mut stream = TcpStream::connect(address).map_err(|error| format!("cannot connect: {error}"))?;
    let all: Vec<u8> = frames.iter().flat_map(|(frame, _)| &frame.bytes).copied().collect();
    let patience = if manners == Manners::Stalled { STALL } else { PATIENCE };
    let set = stream
        .set_write_timeout(Some(patience))
        .and(stream.set_read_timeout(Some(PATIENCE)));
    set.and(stream.set_nodelay(true)).map_err(|error| error.to_string())?;
    // The broker may have closed the connection before everything was sent.
    let _ = match manners {
        Manners::Pieces => pieces(&mut stream, &all, rng),
        _ => stream.write_all(&all),
    };
    let nobody = |stalled| Delivered {
        handled: frames.len(),
        stalled,
        ..Delivered::default()
    };
    match manners {
        Manners::Reset => {
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            Ok(nobody(None))
        }
        Manners::Stalled => Ok(nobody(Some(stream))),
        Manners::Polite | Manners::Pieces => {
            let _ = stream.shutdown(Shutdown::Write);
            answers(stream, frames)
        }
    }
}

fn pieces(stream: &mut TcpStream, all: &[u8], rng: &mut ChaCha8Rng) -> std::io::Result<()> {
    let mut rest = all;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rng.random_range(1..=rest.len().min(200)));
        stream.write_all(piece)?;
        rest = after;
    }
    Ok(())
}

/// Reads until the broker closes the connection.
fn answers(stream: TcpStream, frames: &[(Frame, Meant)]) -> Result<Delivered, String> {
    let mut stream = BufReader::with_capacity(16 * 1024, stream);
    let mut delivered = Delivered::default();
    while let Some(frame) = receive(&mut stream)? {
        let Some((_, meant)) = frames.get(delivered.handled) else {
            // Whatever a frame with a wrong length of its own made of the bytes after it.
            continue;
        };
        let answered = match *meant {
            Meant::Answered(key, version, id) => check(key, version, id, frame)?,
            Meant::Last | Meant::Silent => None,
        };
        delivered.answers.extend(answered);
        delivered.handled += 1;
    }
    // Closed: upon the next frame, or because that was all.
    delivered.handled = (delivered.handled + 1).min(frames.len());
    Ok(delivered)
}

/// A frame without its length, or `None` at the end.
fn receive(stream: &mut impl Read) -> Result<Option<Bytes>, String> {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    let ended = |error: std::io::Error| match error.kind() {
        ConnectionAborted | ConnectionReset | UnexpectedEof => Ok(None),
        _ => Err(format!("neither an answer nor a closed connection: {error}")),
    };
    let mut length = [0; 4];
    if let Err(error) = stream.read_exact(&mut length) {
        return ended(error);
    }
    let length = u32::from_be_bytes(length);
    if length > 1 << 30 {
        return Err(format!("an answer of {length} bytes"));
    }
    let mut frame = vec![0; length as usize];
    match stream.read_exact(&mut frame) {
        Ok(()) => Ok(Some(frame.into())),
        Err(error) => ended(error),
    }
}

/// Walks an answer by its shape to its last byte.
fn check(key: i16, version: i16, id: i32, answer: Bytes) -> Result<Option<Answer>, String> {
    let Some(shape) = shapes::response(key) else {
        return Err(format!("{key} has no answer"));
    };
    let header = if shape.header_version(version) == 0 { 4 } else { 5 };
    if answer.len() < header || answer[..4] != id.to_be_bytes() {
        return Err(format!(
            "the answer to request {id} begins with {:02x?}",
            &answer[..answer.len().min(8)]
        ));
    }
    let body = answer.slice(header..);
    guard::check_response(key, version, &body).map_err(|error| {
        let begin = &body[..body.len().min(200)];
        format!("of {} bytes: {error}: {begin:02x?}", body.len())
    })?;
    Ok(Some(Answer { key, version, body }))
}

//! What is done to a frame: each way in which its bytes can lie about themselves.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tickertape_broker::ServedApi;
use tickertape_broker::wire::{guard, shapes, varint};

use super::words::Prey;
use crate::support::client::frame_of;
use crate::support::generate::{self, Form, Made, Of};

/// What goes over the wire.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    /// What was done to it, for whoever reads of a failure.
    pub(super) what: &'static str,
}

/// Makes a frame of a version of an API, and most often breaks it.
pub(super) fn frame(api: &ServedApi, version: i16, id: i32, words: &Prey<'_>, rng: &mut ChaCha8Rng) -> Frame {
    let shape = shapes::request(api.key).expect("it is served");
    let made = generate::make_of(shape, version, words, rng);
    let whole = |body: &[u8]| frame_of(api.key, version, id, body);
    let (what, bytes) = match rng.random_range(0..30) {
        // Cut within, the frame's length as it was: the rest never comes.
        0 => {
            let mut frame = whole(&made.bytes);
            frame.truncate(rng.random_range(0..frame.len()));
            ("cut off", frame)
        }
        // Cut within, the frame's length made to fit.
        1 => (
            "cut short",
            whole(&made.bytes[..rng.random_range(0..=made.bytes.len())]),
        ),
        2..=4 => ("a wrong length", whole(&wrong_length(&made, rng))),
        5 => ("a null", whole(&null(&made, rng))),
        6 => ("tags", whole(&tags(&made, rng))),
        7 => {
            let mut frame = whole(&made.bytes);
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..frame.len());
                frame[at] = rng.random();
            }
            ("other bytes", frame)
        }
        8 => {
            // The body of another version, or of a version that nobody has.
            let said = match rng.random_range(0..4) {
                0 => [-1, i16::MIN, i16::MAX, api.max + 1][rng.random_range(0..4)],
                _ => rng.random_range(api.min..=api.max),
            };
            ("another version", frame_of(api.key, said, id, &made.bytes))
        }
        9 => ("a wrong header", header(&made, api.key, version, id, rng)),
        10 => {
            let garbage: Vec<u8> = (0..rng.random_range(0..60)).map(|_| rng.random()).collect();
            ("garbage", whole(&garbage))
        }
        11 => {
            // More after the end, which is nobody's business.
            let mut body = made.bytes;
            body.extend((0..rng.random_range(1..20)).map(|_| rng.random::<u8>()));
            ("bytes after it", whole(&body))
        }
        _ => ("nothing", whole(&made.bytes)),
    };
    Frame { bytes, what }
}

fn wrong_length(made: &Made, rng: &mut ChaCha8Rng) -> Vec<u8> {
    if made.lengths.is_empty() {
        return made.bytes.clone();
    }
    let index = rng.random_range(0..made.lengths.len());
    let values = generate::hostile_lengths(made.lengths[index]);
    made.with_length(index, values[rng.random_range(0..values.len())])
}

/// Null, or neither null nor there, wherever that can be said.
fn null(made: &Made, rng: &mut ChaCha8Rng) -> Vec<u8> {
    if !made.presences.is_empty() && rng.random() {
        let mut bytes = made.bytes.clone();
        let at = made.presences[rng.random_range(0..made.presences.len())];
        bytes[at] = rng.random();
        return bytes;
    }
    let nullable: Vec<usize> = (0..made.lengths.len())
        .filter(|index| matches!(made.lengths[*index].of, Of::Bytes | Of::Elements))
        .collect();
    if nullable.is_empty() {
        return made.bytes.clone();
    }
    let index = nullable[rng.random_range(0..nullable.len())];
    let null = if made.lengths[index].form == Form::Compact {
        0
    } else {
        -1
    };
    made.with_length(index, null)
}

/// One more tag than there was: unknown, known, twice, out of order, with a size that is true or not.
fn tags(made: &Made, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let counts: Vec<usize> = (0..made.lengths.len())
        .filter(|index| made.lengths[*index].of == Of::Tags)
        .collect();
    if counts.is_empty() {
        return made.bytes.clone();
    }
    let index = counts[rng.random_range(0..counts.len())];
    let count = made.lengths[index];
    let mut tag = Vec::new();
    varint::write_u32(count.value as u32 + 1, &mut tag);
    let number = [0, 1, 2, 3, 9_999, i32::MAX as u32, u32::MAX][rng.random_range(0..7)];
    varint::write_u32(number, &mut tag);
    let content: Vec<u8> = (0..rng.random_range(0..12)).map(|_| rng.random()).collect();
    let size = match rng.random_range(0..4) {
        0 => [0, 1, 1 << 20, i32::MAX as u32, u32::MAX][rng.random_range(0..5)],
        _ => content.len() as u32,
    };
    varint::write_u32(size, &mut tag);
    tag.extend(content);
    let mut bytes = made.bytes.clone();
    bytes.splice(count.at..count.at + count.len, tag);
    bytes
}

/// A header that does not fit what it stands before.
fn header(made: &Made, key: i16, version: i16, id: i32, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut frame = frame_of(key, version, id, &made.bytes);
    match rng.random_range(0..4) {
        // The frame's own length.
        0 => {
            let length = frame.len() as i32 - 4;
            let lie = [length - 1, length + 1, 0, -1, i32::MAX, i32::MIN, length * 2][rng.random_range(0..7)];
            frame[..4].copy_from_slice(&lie.to_be_bytes());
        }
        // Any key.
        1 => {
            let key: i16 = [-1, rng.random_range(0..100), i16::MAX, rng.random()][rng.random_range(0..4)];
            frame[4..6].copy_from_slice(&key.to_be_bytes());
        }
        // The client's name.
        2 => {
            let length: i16 = [-1, -2, 0, 1, 200, i16::MAX, i16::MIN][rng.random_range(0..7)];
            frame[12..14].copy_from_slice(&length.to_be_bytes());
        }
        _ => frame[14..16].copy_from_slice(&rng.random::<[u8; 2]>()),
    }
    frame
}

/// What a peer that knows the protocol makes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// A request that is to be answered: key, version, correlation id.
    Answered(i16, i16, i32),
    /// One that need not be (Produce with acks=0), so that nothing says whether it was handled.
    Silent,
    /// Not a request: nothing after it on the same connection is one.
    Last,
}

/// Reads a frame as the broker is to read it.
pub(super) fn meant(bytes: &[u8], size_max: usize) -> Meant {
    let Some((length, frame)) = bytes.split_first_chunk::<4>() else {
        return Meant::Last;
    };
    let fits = usize::try_from(i32::from_be_bytes(*length)).is_ok_and(|length| length == frame.len());
    let Ok(head) = guard::request_head(frame) else {
        return Meant::Last;
    };
    let served = tickertape_broker::served().find(|api| api.key == head.api_key);
    let Some(api) = served.filter(|_| fits && frame.len() <= size_max) else {
        return Meant::Last;
    };
    let (key, version) = (api.key, head.api_version);
    if !(api.min..=api.max).contains(&version) {
        // ApiVersions says what there is, in version 0.
        return if key == 18 {
            Meant::Answered(key, 0, head.correlation_id)
        } else {
            Meant::Last
        };
    }
    let body = &frame[head.body_at..];
    if guard::check_request(key, version, body).is_err() {
        return Meant::Last;
    }
    if key == 0 && acks(version, body) == Some(0) {
        return Meant::Silent;
    }
    Meant::Answered(key, version, head.correlation_id)
}

/// The acks of a Produce request.
fn acks(version: i16, body: &[u8]) -> Option<i16> {
    use kafka_protocol::protocol::Decodable as _;
    let mut body = bytes::Bytes::copy_from_slice(body);
    kafka_protocol::messages::ProduceRequest::decode(&mut body, version)
        .ok()
        .map(|request| request.acks)
}

//! Every message in every version, made up from the table of shapes: it round-trips, and broken it ends in an error.

use bytes::Bytes;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tickertape_broker::wire::compression::{Compression, compress, decompress};
use tickertape_broker::wire::guard;
use tickertape_broker::wire::shapes::{self, Message};

use crate::support::alloc::largest_during;
use crate::support::codecs::{Codec, codecs};
use crate::support::generate::{self, Made};

/// Calls `with` for each message and version that the table and the codec share.
fn each(mut with: impl FnMut(&'static Message, Codec, i16)) {
    for codec in codecs() {
        let Some(message) = shapes::message(codec.name) else {
            panic!("no shape for {}", codec.name);
        };
        let min = message.versions.min.max(codec.versions.min);
        let max = message.versions.max.min(codec.versions.max);
        for version in min..=max {
            with(message, codec, version);
        }
    }
}

/// What decoding may allocate at once: a structure can be some hundred bytes for each that it takes on the wire.
fn allocation_max(bytes: &[u8]) -> usize {
    4096 + 600 * bytes.len()
}

/// Checks and, if that passes, decodes. Panics if the two disagree or if memory is taken that the bytes do not explain.
fn take(message: &'static Message, codec: Codec, version: i16, bytes: &[u8]) -> Result<(), guard::Malformed> {
    let shared = Bytes::copy_from_slice(bytes);
    let (checked, allocated) = largest_during(|| guard::check(message, version, bytes));
    assert_eq!(allocated, 0, "the guard allocates");
    checked?;
    let (decoded, allocated) = largest_during(|| (codec.decode)(shared, version));
    if let Err(error) = decoded {
        panic!(
            "{} {version} passes the guard and is not decoded: {error}\n{bytes:02x?}",
            codec.name
        );
    }
    assert!(
        allocated <= allocation_max(bytes),
        "{} {version} allocates {allocated}: {bytes:02x?}",
        codec.name
    );
    Ok(())
}

/// Changes some bytes anywhere.
fn scramble(bytes: &mut [u8], rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..4) {
        if !bytes.is_empty() {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = if rng.random() {
                rng.random()
            } else {
                [0, 1, 0x7f, 0x80, 0xff][rng.random_range(0..5)]
            };
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_message_round_trips_in_every_version(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        each(|message, codec, version| {
            let Made { bytes, .. } = generate::make(message, version, &mut rng);
            let consumed = guard::check(message, version, &bytes);
            assert_eq!(consumed, Ok(bytes.len()), "{} {version}: {bytes:02x?}", codec.name);
            let transcoded = (codec.transcode)(Bytes::from(bytes.clone()), version);
            let transcoded = transcoded.unwrap_or_else(|error| panic!("{} {version}: {error}: {bytes:02x?}", codec.name));
            assert_eq!(transcoded.consumed, bytes.len(), "{} {version}: {bytes:02x?}", codec.name);
            assert_eq!(transcoded.bytes, bytes, "{} {version}", codec.name);
        });
    }

    #[test]
    fn a_message_cut_anywhere_is_refused(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        each(|message, codec, version| {
            let Made { bytes, .. } = generate::make(message, version, &mut rng);
            for cut in 0..bytes.len() {
                let taken = take(message, codec, version, &bytes[..cut]);
                assert!(taken.is_err(), "{} {version} cut at {cut}: {bytes:02x?}", codec.name);
            }
        });
    }

    #[test]
    fn a_changed_length_ends_in_an_error_or_a_message(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        each(|message, codec, version| {
            let made = generate::make(message, version, &mut rng);
            for index in 0..made.lengths.len() {
                for value in generate::hostile_lengths(made.lengths[index]) {
                    let _ = take(message, codec, version, &made.with_length(index, value));
                }
            }
        });
    }

    #[test]
    fn changed_bytes_end_in_an_error_or_a_message(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        each(|message, codec, version| {
            let Made { bytes, .. } = generate::make(message, version, &mut rng);
            for _ in 0..10 {
                let mut bytes = bytes.clone();
                scramble(&mut bytes, &mut rng);
                let _ = take(message, codec, version, &bytes);
            }
        });
    }

    #[test]
    fn a_broken_batch_expands_within_its_limit(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for codec in Compression::ALL {
            let mut packed = compress(codec, &b"tick tock ".repeat(300)).unwrap();
            for byte in 0..packed.len().min(24) {
                let kept = packed[byte];
                packed[byte] = rng.random();
                let (expanded, allocated) = largest_during(|| decompress(codec, &packed, 64 << 10));
                assert!(expanded.is_err() || expanded.is_ok_and(|bytes| bytes.len() <= 64 << 10));
                // The frame of a codec may ask for blocks of up to 4 MiB, and gets room for two and a window.
                assert!(allocated <= 9 << 20, "{codec:?} allocates {allocated}: {packed:02x?}");
                packed[byte] = kept;
            }
        }
    }

    #[test]
    fn any_header_ends_in_an_error_or_a_head(bytes in prop::collection::vec(any::<u8>(), 0..60), key in -1i16..95) {
        let frame = [&key.to_be_bytes()[..], &bytes].concat();
        if let Ok(head) = guard::request_head(&frame) {
            prop_assert!(head.body_at <= frame.len());
            let _ = guard::check_request(head.api_key, head.api_version, &frame[head.body_at..]);
        }
    }
}

#[test]
fn the_table_and_the_codec_share_every_api_that_is_served() {
    let codecs = codecs();
    for api in tickertape_broker::served() {
        let message = shapes::request(api.key).unwrap();
        assert_eq!(message.name, format!("{}Request", api.name));
        let codec = codecs.iter().find(|codec| codec.name == message.name).unwrap();
        for version in api.min..=api.max {
            assert!(message.versions.contains(version), "{} {version}", api.name);
            assert!(
                (codec.versions.min..=codec.versions.max).contains(&version),
                "{} {version}",
                api.name
            );
        }
    }
}

/// Without the guard, the decoder would ask for gigabytes here: the test above would not fail if that stopped being so.
#[test]
fn the_guard_is_still_needed() {
    let metadata = codecs()
        .into_iter()
        .find(|codec| codec.name == "MetadataRequest")
        .unwrap();
    let bytes = Bytes::copy_from_slice(&(1i32 << 20).to_be_bytes());
    let (decoded, allocated) = largest_during(|| (metadata.decode)(bytes, 1));
    assert!(decoded.is_err());
    assert!(allocated > 1 << 20);
}

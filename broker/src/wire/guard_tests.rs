use super::*;

fn reason(api_key: i16, version: i16, body: &[u8]) -> Reason {
    check_request(api_key, version, body).unwrap_err().reason
}

#[test]
fn eight_bytes_that_ask_for_gigabytes_are_refused() {
    // Metadata, version 1: an array of topics.
    let count = i32::MAX.to_be_bytes();
    assert!(matches!(reason(3, 1, &count), Reason::TooManyElements { .. }));
    // Version 9: the same as a varint.
    assert!(matches!(
        reason(3, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        Reason::TooManyElements { .. }
    ));
}

#[test]
fn a_count_must_leave_room_for_each_element_at_its_smallest() {
    // A topic name takes two bytes at least: three of them do not fit five bytes.
    let body = [0, 0, 0, 3, 0, 0, 0, 0, 0];
    assert_eq!(reason(3, 1, &body), Reason::TooManyElements { count: 3, remaining: 5 });
    assert_eq!(check_request(3, 1, &[0, 0, 0, 2, 0, 0, 0, 0]), Ok(()));
}

#[test]
fn null_is_taken_only_where_it_may_be() {
    // Version 0 takes no null for "all topics", version 1 does.
    let null = (-1i32).to_be_bytes();
    assert_eq!(reason(3, 0, &null), Reason::Null);
    assert_eq!(check_request(3, 1, &null), Ok(()));
    assert_eq!(reason(3, 1, &(-2i32).to_be_bytes()), Reason::NegativeLength(-2));
}

#[test]
fn strings_are_utf8_and_not_too_long() {
    assert_eq!(reason(3, 1, &[0, 0, 0, 1, 0, 2, 0xc3, 0x28]), Reason::NotUtf8);
    // Metadata, version 10: one topic, its id, a name of 40,000 bytes.
    let mut body = vec![2];
    body.extend([0; 16]);
    varint::write_u32(40_001, &mut body);
    body.extend([b'x'; 40_000]);
    body.extend([0, 1, 0, 0]);
    assert_eq!(reason(3, 10, &body), Reason::StringTooLong(40_000));
}

#[test]
fn unknown_tags_are_skipped_and_known_ones_fill_their_size() {
    // ListGroups, version 3, has tagged fields alone.
    assert_eq!(check_request(16, 3, &[1, 77, 2, 0xaa, 0xbb]), Ok(()));
    assert!(matches!(
        reason(16, 3, &[1, 77, 3, 0xaa, 0xbb]),
        Reason::Truncated {
            needed: 3,
            remaining: 2
        }
    ));
    // Fetch, version 12, up to its tagged fields; tag 0 is the cluster id.
    let mut fetch = vec![0; 4 + 4 + 4 + 4 + 1 + 4 + 4];
    fetch.extend([1, 1, 1]);
    let with = |tags: &[u8]| [&fetch[..], tags].concat();
    assert_eq!(check_request(1, 12, &with(&[1, 0, 2, 2, b'c'])), Ok(()));
    assert_eq!(reason(1, 12, &with(&[1, 0, 3, 2, b'c', 0])), Reason::TagSize(3));
    assert!(matches!(
        reason(1, 12, &with(&[1, 0, 1, 2, b'c'])),
        Reason::Truncated { .. }
    ));
    // Tag 1 came with version 15.
    assert_eq!(reason(1, 12, &with(&[1, 1, 0])), Reason::TagNotInVersion(1));
}

#[test]
fn bytes_after_the_message_are_ignored() {
    assert_eq!(check_request(16, 0, &[1, 2, 3]), Ok(()));
    let shape = shapes::request(16).unwrap();
    assert_eq!(check(shape, 3, &[0, 9, 9]), Ok(1));
}

#[test]
fn elements_in_all_are_bounded() {
    // One more than allowed, each of two bytes.
    let mut body = ((ELEMENTS_MAX + 1) as i32).to_be_bytes().to_vec();
    body.resize(4 + 2 * (ELEMENTS_MAX + 1), 0);
    assert_eq!(reason(3, 1, &body), Reason::TooManyElementsInAll);
    body[..4].copy_from_slice(&(ELEMENTS_MAX as i32).to_be_bytes());
    assert_eq!(check_request(3, 1, &body), Ok(()));
}

#[test]
fn varints_end_within_five_bytes() {
    assert_eq!(reason(16, 3, &[0x80, 0x80, 0x80, 0x80, 0x80, 0]), Reason::Varint);
    assert_eq!(reason(16, 3, &[]), Reason::Varint);
}

#[test]
fn unknown_keys_and_versions_are_told_apart() {
    assert_eq!(reason(4711, 0, &[]), Reason::UnknownApiKey(4711));
    assert_eq!(reason(3, 99, &[]), Reason::UnknownVersion);
    assert_eq!(reason(0, 2, &[]), Reason::UnknownVersion);
}

#[test]
fn headers_are_read_in_the_version_that_key_and_version_imply() {
    let frame = [0, 3, 0, 1, 0, 0, 0, 7, 0, 2, b'm', b'e', 9, 9];
    let head = request_head(&frame).unwrap();
    assert_eq!((head.api_key, head.api_version, head.correlation_id), (3, 1, 7));
    assert_eq!((head.client_id, head.body_at), (Some("me"), 12));
    // ApiVersions in a version to come has a flexible header all the same.
    let frame = [0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 1, 5, 1, 0xaa, 9];
    let head = request_head(&frame).unwrap();
    assert_eq!((head.client_id, head.body_at), (None, 14));
    for cut in 0..14 {
        assert!(request_head(&frame[..cut]).is_err(), "{cut}");
    }
    assert_eq!(
        request_head(&[0x12, 0x34, 0, 0, 0, 0, 0, 0]).unwrap_err().reason,
        Reason::UnknownApiKey(0x1234)
    );
}

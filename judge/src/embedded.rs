//! The consumer's own protocol, which travels inside the classic one: subscriptions in JoinGroup, assignments in SyncGroup.

/// A topic by name, and partitions of it.
pub(crate) type Part<'a> = (&'a str, &'a [i32]);

/// A subscription. Version 0 cannot say what its member owns.
pub(crate) fn subscription(version: i16, topics: &[&str], user_data: Option<&[u8]>, owned: &[Part<'_>]) -> Vec<u8> {
    let mut bytes = version.to_be_bytes().to_vec();
    put_count(&mut bytes, topics.len());
    topics.iter().for_each(|topic| put_string(&mut bytes, topic));
    put_user_data(&mut bytes, user_data);
    if version >= 1 {
        put_parts(&mut bytes, owned);
    }
    bytes
}

/// An assignment.
pub(crate) fn assignment(version: i16, parts: &[Part<'_>], user_data: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = version.to_be_bytes().to_vec();
    put_parts(&mut bytes, parts);
    put_user_data(&mut bytes, user_data);
    bytes
}

/// The topics and partitions in an assignment; none where it is none.
pub(crate) fn assigned(assignment: &[u8]) -> Option<Vec<(String, Vec<i32>)>> {
    let mut rest = assignment.get(2..)?;
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at_checked(count)?;
        rest = left;
        Some(taken)
    };
    let topics = i32::from_be_bytes(take(4)?.try_into().ok()?);
    let mut parts = Vec::new();
    for _ in 0..topics {
        let length = i16::from_be_bytes(take(2)?.try_into().ok()?);
        let topic = take(usize::try_from(length).ok()?)?;
        let topic = String::from_utf8(topic.to_vec()).ok()?;
        let count = i32::from_be_bytes(take(4)?.try_into().ok()?);
        let mut partitions = Vec::new();
        for _ in 0..count {
            partitions.push(i32::from_be_bytes(take(4)?.try_into().ok()?));
        }
        parts.push((topic, partitions));
    }
    Some(parts)
}

fn put_count(bytes: &mut Vec<u8>, count: usize) {
    bytes.extend(i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(i16::try_from(text.len()).unwrap_or(i16::MAX).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn put_user_data(bytes: &mut Vec<u8>, user_data: Option<&[u8]>) {
    match user_data {
        Some(user_data) => {
            put_count(bytes, user_data.len());
            bytes.extend(user_data);
        }
        None => bytes.extend((-1_i32).to_be_bytes()),
    }
}

fn put_parts(bytes: &mut Vec<u8>, parts: &[Part<'_>]) {
    put_count(bytes, parts.len());
    for (topic, partitions) in parts {
        put_string(bytes, topic);
        put_count(bytes, partitions.len());
        let partitions = partitions.iter();
        partitions.for_each(|partition| bytes.extend(partition.to_be_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_as_it_was_written() {
        let parts: [Part<'_>; 2] = [("one", &[0, 2]), ("two", &[])];
        let bytes = assignment(1, &parts, Some(b"more"));
        let read = assigned(&bytes).unwrap();
        let read: Vec<Part<'_>> = read.iter().map(|(topic, of)| (topic.as_str(), of.as_slice())).collect();
        assert_eq!(read, parts);
        for cut in 0..bytes.len() - 8 {
            assert_eq!(assigned(&bytes[..cut]), None, "{cut}");
        }
    }
}

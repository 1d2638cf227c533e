//! Conditional requests (RFC 9110 §13, as S3 narrows it). Pure.

use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::error::StoreError;
use super::records::ObjectRecord;

/// What must hold of the object that a write would replace or remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum WriteCondition {
    /// Nothing.
    #[default]
    None,
    /// `If-None-Match: *`: there is no object.
    Absent,
    /// `If-Match: *`: there is one.
    Present,
    /// `If-Match: "etag"`: it is this one.
    Is(String),
}

impl WriteCondition {
    /// From the headers of a write. S3 knows `If-None-Match` on writes with `*` only.
    pub(crate) fn new(if_match: Option<&ETagCondition>, if_none_match: Option<&ETagCondition>) -> S3Result<Self> {
        match (if_match, if_none_match) {
            (None, None) => Ok(Self::None),
            (None, Some(ETagCondition::Any)) => Ok(Self::Absent),
            (Some(ETagCondition::Any), None) => Ok(Self::Present),
            (Some(ETagCondition::ETag(etag)), None) => Ok(Self::Is(etag.value().to_owned())),
            (None, Some(ETagCondition::ETag(_))) => Err(s3_error!(
                NotImplemented,
                "A header you provided implies functionality that is not implemented: If-None-Match other than *"
            )),
            (Some(_), Some(_)) => Err(s3_error!(
                InvalidRequest,
                "If-Match and If-None-Match cannot be given together"
            )),
        }
    }

    /// Whether it holds. `If-Match` on an object that is not there is `NoSuchKey`, as S3 answers.
    pub(crate) fn check(&self, current: Option<&ObjectRecord>) -> Result<(), StoreError> {
        match (self, current) {
            (Self::None, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Is(etag), Some(record)) if *etag == record.etag => Ok(()),
            (Self::Present | Self::Is(_), None) => Err(StoreError::NoSuchKey),
            (Self::Absent | Self::Is(_), Some(_)) => Err(StoreError::PreconditionFailed),
        }
    }
}

/// What a reader wants to hold of the object.
#[derive(Debug, Default)]
pub(crate) struct ReadCondition {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

/// What the reader is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The object.
    Send,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

impl ReadCondition {
    /// An ETag condition that holds outweighs the date condition that goes with it.
    pub(crate) fn check(&self, record: &ObjectRecord) -> Verdict {
        let matches = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == record.etag,
        };
        // HTTP dates have whole seconds.
        let modified_s = record.modified_ms.div_euclid(1000);
        let modified_after = |time: &Timestamp| modified_s > seconds(time);
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition) => return Verdict::Failed,
            (None, Some(time)) if modified_after(time) => return Verdict::Failed,
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if matches(condition) => Verdict::NotModified,
            (None, Some(time)) if !modified_after(time) => Verdict::NotModified,
            _ => Verdict::Send,
        }
    }

    /// The same for the source of a copy, where S3 knows no 304.
    pub(crate) fn check_source(&self, record: &ObjectRecord) -> S3Result<()> {
        match self.check(record) {
            Verdict::Send => Ok(()),
            Verdict::NotModified | Verdict::Failed => Err(S3Error::from(S3ErrorCode::PreconditionFailed)),
        }
    }
}

/// Seconds since the epoch.
fn seconds(time: &Timestamp) -> i64 {
    millis(time).div_euclid(1000)
}

/// Milliseconds since the epoch.
pub(crate) fn millis(time: &Timestamp) -> i64 {
    let mut text = Vec::new();
    match time.format(s3s::dto::TimestampFormat::EpochSeconds, &mut text) {
        Ok(()) => String::from_utf8_lossy(&text)
            .parse::<f64>()
            .map_or(0, |seconds| (seconds * 1000.0).round() as i64),
        Err(_) => 0,
    }
}

/// A point in time as S3's types have it.
pub(crate) fn timestamp(ms: i64) -> Timestamp {
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    let distance = std::time::Duration::from_millis(ms.unsigned_abs());
    Timestamp::from(if ms < 0 { epoch - distance } else { epoch + distance })
}

#[cfg(test)]
mod tests {
    use super::super::records::Content;
    use super::*;

    fn record(etag: &str, modified_ms: i64) -> ObjectRecord {
        ObjectRecord {
            size_bytes: 0,
            etag: etag.to_owned(),
            modified_ms,
            content: Content::Empty,
            headers: Default::default(),
            tags: Default::default(),
            checksum: None,
        }
    }

    #[test]
    fn writes() {
        let held = record("e", 0);
        let is = |etag: &str| WriteCondition::Is(etag.to_owned());
        for (condition, on_present, on_absent) in [
            (WriteCondition::None, true, true),
            (WriteCondition::Absent, false, true),
            (WriteCondition::Present, true, false),
            (is("e"), true, false),
            (is("f"), false, false),
        ] {
            assert_eq!(condition.check(Some(&held)).is_ok(), on_present, "{condition:?}");
            assert_eq!(condition.check(None).is_ok(), on_absent, "{condition:?}");
        }
    }

    #[test]
    fn an_etag_outweighs_a_date() {
        let held = record("e", 5_000);
        let etag = |text: &str| Some(text.parse::<ETagCondition>().unwrap());
        let check = |if_match, if_none_match, since: Option<i64>, until: Option<i64>| {
            ReadCondition {
                if_match,
                if_none_match,
                if_modified_since: since.map(timestamp),
                if_unmodified_since: until.map(timestamp),
            }
            .check(&held)
        };
        assert_eq!(check(etag("\"e\""), None, None, Some(0)), Verdict::Send);
        assert_eq!(check(etag("\"f\""), None, None, None), Verdict::Failed);
        assert_eq!(check(None, None, None, Some(4_000)), Verdict::Failed);
        assert_eq!(check(None, None, None, Some(5_000)), Verdict::Send);
        assert_eq!(check(None, etag("\"e\""), Some(0), None), Verdict::NotModified);
        assert_eq!(check(None, etag("\"f\""), Some(9_000), None), Verdict::Send);
        assert_eq!(check(None, None, Some(5_000), None), Verdict::NotModified);
        assert_eq!(check(None, None, Some(4_000), None), Verdict::Send);
    }

    #[test]
    fn times_round_trip() {
        for ms in [0, 1, 1_700_000_000_123, -1_500] {
            assert_eq!(millis(&timestamp(ms)), ms);
        }
    }
}

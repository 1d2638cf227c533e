//! What can go wrong in the store, and the one place that gives it S3's name.

use std::path::PathBuf;

use s3s::{S3Error, S3ErrorCode, s3_error};

pub use super::index::IndexError;

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such bucket.
    #[error("The specified bucket does not exist")]
    NoSuchBucket,
    /// There is no such object.
    #[error("The specified key does not exist.")]
    NoSuchKey,
    /// There is no such multipart upload.
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    )]
    NoSuchUpload,
    /// The bucket exists already.
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketExists,
    /// The bucket is not empty.
    #[error("The bucket you tried to delete is not empty")]
    BucketNotEmpty,
    /// `If-Match`, `If-None-Match` or another precondition does not hold.
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed,
    /// Not a name for a bucket.
    #[error(
        "{0:?} is not a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, a letter or digit first and last"
    )]
    BucketName(String),
    /// The data directory is used by another process.
    #[error("the data directory {} is in use by another process (pid {pid})", data_dir.display())]
    InUse {
        /// Which.
        data_dir: PathBuf,
        /// By whom.
        pid: String,
    },
    /// The data directory was written by a newer version.
    #[error("the data directory {} is of format {found}; this version knows formats up to {known}", data_dir.display())]
    Format {
        /// Which.
        data_dir: PathBuf,
        /// Its format.
        found: String,
        /// The newest format that this version reads.
        known: u32,
    },
    /// The data directory cannot be made.
    #[error("cannot make the data directory {}: {error}", data_dir.display())]
    NoDirectory {
        /// Which.
        data_dir: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The data directory holds something else.
    #[error(
        "the data directory {} has files of something else in it, such as {found}, and no store; name an empty or a new one",
        data_dir.display()
    )]
    Foreign {
        /// Which.
        data_dir: PathBuf,
        /// One of the files.
        found: String,
    },
    /// An object of parts lost its list of parts.
    #[error("the list of parts {0} is missing from the index")]
    ManifestMissing(String),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file.
    #[error("a file of the store cannot be read or written: {0}")]
    Io(std::io::Error),
    /// A task of the store ended before its work was done.
    #[error("the server is stopping")]
    Stopping,
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        StoreError::Io(error)
    }
}

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NoSuchBucket => S3ErrorCode::NoSuchBucket,
            StoreError::NoSuchKey => S3ErrorCode::NoSuchKey,
            StoreError::NoSuchUpload => S3ErrorCode::NoSuchUpload,
            StoreError::BucketExists => S3ErrorCode::BucketAlreadyOwnedByYou,
            StoreError::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
            StoreError::PreconditionFailed => S3ErrorCode::PreconditionFailed,
            StoreError::BucketName(_) => S3ErrorCode::InvalidBucketName,
            StoreError::Stopping => S3ErrorCode::ServiceUnavailable,
            StoreError::InUse { .. }
            | StoreError::Format { .. }
            | StoreError::ManifestMissing(_)
            | StoreError::Index(_)
            | StoreError::NoDirectory { .. }
            | StoreError::Foreign { .. }
            | StoreError::Io(_) => {
                tracing::error!(%error, "a request failed");
                S3ErrorCode::InternalError
            }
        };
        S3Error::with_message(code, error.to_string())
    }
}

/// What a body that ended badly is called: its stream fails with errors that only their text tells apart.
pub(crate) fn body_error(error: &(dyn std::error::Error + Send + Sync + 'static)) -> S3Error {
    let text = error.to_string();
    let custom = |code: &'static str, message: &'static str| {
        let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
        error.set_status_code(http::StatusCode::BAD_REQUEST);
        error
    };
    if text.contains("Sha256Mismatch") {
        custom(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    } else if text.contains("SignatureMismatch") {
        s3_error!(
            SignatureDoesNotMatch,
            "The signature of a chunk of the body does not match."
        )
    } else if text.contains("FormatError") || text.contains("TooLarge") || text.contains("TooMany") {
        s3_error!(InvalidRequest, "The aws-chunked body is malformed.")
    } else {
        s3_error!(
            IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        )
    }
}

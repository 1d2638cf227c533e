//! The operations of S3, one file per kind. [`Backend`] is what `s3s` calls.

mod bucket;
mod copy;
mod delete;
mod get;
mod list;
mod multipart;
mod put;
mod tagging;
mod unconfigured;

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};
use tokio_util::task::TaskTracker;

use super::error::StoreError;
use super::store::{Released, Store};

/// The region that this server says it is in. Signatures for any region are accepted.
pub(crate) const REGION: &str = "us-east-1";

/// S3 over a [`Store`]. Knows nothing of HTTP and signatures: `s3s` does that.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) store: Arc<Store>,
    /// Changes on their way: a stop waits for them.
    pub(crate) tasks: TaskTracker,
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

impl Backend {
    /// Makes a change: runs `work`, waits until it is settled, then removes the files that it left without a
    /// name. A client that goes away meanwhile does not stop it half way.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Store>) -> S3Result<(T, Vec<Released>)> + Send + 'static,
    ) -> S3Result<T> {
        let (store, tasks) = (Arc::clone(&self.store), self.tasks.clone());
        let change = self.tasks.spawn(async move {
            let working = Arc::clone(&store);
            let done = tokio::task::spawn_blocking(move || work(&working)).await;
            // A refusal, too, depends on what was there.
            store.index.settle().await.map_err(StoreError::from)?;
            let (value, released) = done.map_err(|_| StoreError::Stopping)??;
            if !released.iter().all(Released::is_empty) {
                // Nobody waits for the removal: it changes nothing that a client could see.
                tasks.spawn_blocking(move || store.release(released));
            }
            Ok(value)
        });
        change.await.map_err(|_| StoreError::Stopping)?
    }

    /// Runs what touches the disk away from the connections.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Store>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Stopping),
        }
    }

    /// Answers when everything the answer can depend on is settled: also a refusal depends on what was there.
    async fn settled<T>(&self, result: Result<T, StoreError>) -> S3Result<T> {
        self.store.index.settle().await.map_err(StoreError::from)?;
        Ok(result?)
    }
}

/// Writes the [`S3`] trait's methods that each call the method of the same name below.
macro_rules! operations {
    ($($name:ident: $input:ty => $output:ty;)*) => {
        #[async_trait::async_trait]
        impl S3 for Backend {
            $(async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.$name(request).await
            })*
        }
    };
}

operations! {
    create_bucket: CreateBucketInput => CreateBucketOutput;
    head_bucket: HeadBucketInput => HeadBucketOutput;
    list_buckets: ListBucketsInput => ListBucketsOutput;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput;
    put_object: PutObjectInput => PutObjectOutput;
    get_object: GetObjectInput => GetObjectOutput;
    head_object: HeadObjectInput => HeadObjectOutput;
    get_object_attributes: GetObjectAttributesInput => GetObjectAttributesOutput;
    list_objects: ListObjectsInput => ListObjectsOutput;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output;
    delete_object: DeleteObjectInput => DeleteObjectOutput;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput;
    copy_object: CopyObjectInput => CopyObjectOutput;
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput;
    upload_part: UploadPartInput => UploadPartOutput;
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput;
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput;
    list_parts: ListPartsInput => ListPartsOutput;
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput;
    delete_object_tagging: DeleteObjectTaggingInput => DeleteObjectTaggingOutput;
    get_bucket_accelerate_configuration: GetBucketAccelerateConfigurationInput => GetBucketAccelerateConfigurationOutput;
    get_bucket_acl: GetBucketAclInput => GetBucketAclOutput;
    get_bucket_cors: GetBucketCorsInput => GetBucketCorsOutput;
    get_bucket_encryption: GetBucketEncryptionInput => GetBucketEncryptionOutput;
    get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput;
    get_bucket_logging: GetBucketLoggingInput => GetBucketLoggingOutput;
    get_bucket_notification_configuration: GetBucketNotificationConfigurationInput => GetBucketNotificationConfigurationOutput;
    get_bucket_ownership_controls: GetBucketOwnershipControlsInput => GetBucketOwnershipControlsOutput;
    get_bucket_policy: GetBucketPolicyInput => GetBucketPolicyOutput;
    get_bucket_policy_status: GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput;
    get_bucket_replication: GetBucketReplicationInput => GetBucketReplicationOutput;
    get_bucket_request_payment: GetBucketRequestPaymentInput => GetBucketRequestPaymentOutput;
    get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput;
    get_bucket_website: GetBucketWebsiteInput => GetBucketWebsiteOutput;
    get_object_acl: GetObjectAclInput => GetObjectAclOutput;
    get_object_lock_configuration: GetObjectLockConfigurationInput => GetObjectLockConfigurationOutput;
    get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput;
    get_public_access_block: GetPublicAccessBlockInput => GetPublicAccessBlockOutput;
    put_object_tagging: PutObjectTaggingInput => PutObjectTaggingOutput;
}

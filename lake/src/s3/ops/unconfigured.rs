//! What tools ask of a bucket before they use it, and what is never set up here: each is answered as Amazon S3 answers for a
//! bucket without it. Setting any of it up is refused as not implemented.

use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Backend;
use super::bucket::owner;

/// Writes the methods that each say, of a bucket that is there, that it has no such thing.
macro_rules! never_there {
    ($($name:ident: $input:ty => $output:ty, $code:literal, $message:literal;)*) => {
        impl Backend {
            $(pub(crate) async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.settled(self.store.require_bucket(&request.input.bucket)).await?;
                let mut error = S3Error::with_message(S3ErrorCode::Custom($code.into()), $message);
                error.set_status_code(http::StatusCode::NOT_FOUND);
                Err(error)
            })*
        }
    };
}

never_there! {
    get_bucket_cors: GetBucketCorsInput => GetBucketCorsOutput,
        "NoSuchCORSConfiguration", "The CORS configuration does not exist";
    get_bucket_encryption: GetBucketEncryptionInput => GetBucketEncryptionOutput,
        "ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found";
    get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput,
        "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist";
    get_bucket_ownership_controls: GetBucketOwnershipControlsInput => GetBucketOwnershipControlsOutput,
        "OwnershipControlsNotFoundError", "The bucket ownership controls were not found";
    get_bucket_policy: GetBucketPolicyInput => GetBucketPolicyOutput,
        "NoSuchBucketPolicy", "The bucket policy does not exist";
    get_bucket_policy_status: GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput,
        "NoSuchBucketPolicy", "The bucket policy does not exist";
    get_bucket_replication: GetBucketReplicationInput => GetBucketReplicationOutput,
        "ReplicationConfigurationNotFoundError", "The replication configuration was not found";
    get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput,
        "NoSuchTagSet", "The TagSet does not exist";
    get_bucket_website: GetBucketWebsiteInput => GetBucketWebsiteOutput,
        "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration";
    get_object_lock_configuration: GetObjectLockConfigurationInput => GetObjectLockConfigurationOutput,
        "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket";
    get_public_access_block: GetPublicAccessBlockInput => GetPublicAccessBlockOutput,
        "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found";
}

/// Writes the methods that each give, of a bucket that is there, a value that never changes.
macro_rules! always_so {
    ($($name:ident: $input:ty => $output:expr, $of:ty;)*) => {
        impl Backend {
            $(pub(crate) async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$of>> {
                self.settled(self.store.require_bucket(&request.input.bucket)).await?;
                Ok(S3Response::new($output))
            })*
        }
    };
}

always_so! {
    get_bucket_accelerate_configuration: GetBucketAccelerateConfigurationInput =>
        GetBucketAccelerateConfigurationOutput::default(), GetBucketAccelerateConfigurationOutput;
    get_bucket_acl: GetBucketAclInput =>
        GetBucketAclOutput { grants: Some(grants()), owner: Some(owner()) }, GetBucketAclOutput;
    get_bucket_logging: GetBucketLoggingInput =>
        GetBucketLoggingOutput::default(), GetBucketLoggingOutput;
    get_bucket_notification_configuration: GetBucketNotificationConfigurationInput =>
        GetBucketNotificationConfigurationOutput::default(), GetBucketNotificationConfigurationOutput;
    get_bucket_request_payment: GetBucketRequestPaymentInput =>
        GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(Payer::BUCKET_OWNER)) }, GetBucketRequestPaymentOutput;
    get_bucket_versioning: GetBucketVersioningInput =>
        GetBucketVersioningOutput::default(), GetBucketVersioningOutput;
}

impl Backend {
    pub(crate) async fn get_object_acl(
        &self,
        request: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        let (bucket, key) = (request.input.bucket, request.input.key);
        let found = self.blocking(move |store| store.object(&bucket, &key)).await;
        self.settled(found).await?;
        Ok(S3Response::new(GetObjectAclOutput {
            grants: Some(grants()),
            owner: Some(owner()),
            ..Default::default()
        }))
    }
}

/// Everything is its owner's alone.
fn grants() -> Grants {
    let owner = owner();
    vec![Grant {
        grantee: Some(Grantee {
            display_name: owner.display_name,
            email_address: None,
            id: owner.id,
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }]
}

//! CreateBucket, HeadBucket, ListBuckets, DeleteBucket, GetBucketLocation.

use std::ops::Bound;

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};

use super::{Backend, REGION, now_ms};
use crate::s3::condition::timestamp;
use crate::s3::index::keys;
use crate::s3::records::BucketRecord;
use crate::s3::store::Released;

type Answer<T> = S3Result<S3Response<T>>;

impl Backend {
    pub(crate) async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        let name = request.input.bucket;
        let location = format!("/{name}");
        self.change(move |store| Ok((store.create_bucket(&name, now_ms())?, Vec::new())))
            .await?;
        Ok(S3Response::new(CreateBucketOutput {
            location: Some(location),
        }))
    }

    pub(crate) async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.settled(self.store.require_bucket(&request.input.bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(REGION.to_owned()),
            ..Default::default()
        }))
    }

    pub(crate) async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        let prefix = request.input.prefix;
        let space = [keys::BUCKETS, prefix.as_deref().unwrap_or_default().as_bytes()].concat();
        let under = prefix.clone().unwrap_or_default();
        let found = self
            .blocking(move |store| {
                let mut buckets = Vec::new();
                for item in store.index.scan(space, Bound::Unbounded) {
                    let (rest, record) = item?;
                    let record: BucketRecord = record.decode()?;
                    buckets.push(Bucket {
                        name: Some(format!("{under}{}", String::from_utf8_lossy(&rest))),
                        creation_date: Some(timestamp(record.created_ms)),
                        ..Default::default()
                    });
                }
                Ok(buckets)
            })
            .await;
        let buckets = self.settled(found).await?;
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets),
            owner: Some(owner()),
            prefix,
            ..Default::default()
        }))
    }

    pub(crate) async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
        self.change(move |store| {
            let files = store.delete_bucket(&request.input.bucket)?;
            Ok(((), Released::files(files)))
        })
        .await?;
        Ok(S3Response::new(DeleteBucketOutput {}))
    }

    pub(crate) async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        self.settled(self.store.require_bucket(&request.input.bucket)).await?;
        // us-east-1 is written as no constraint.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }
}

/// The one owner of everything here.
pub(super) fn owner() -> Owner {
    Owner {
        display_name: Some("tickertape".to_owned()),
        id: Some("tickertape".to_owned()),
    }
}

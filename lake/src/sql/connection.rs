//! How SQL reaches the store: one `object_store` client per bucket, with the credentials that the AWS
//! SDK finds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::client::CredentialProvider;
use tickertape_client::s3::S3Options;

/// Endpoint, region and credentials of a store. Opens nothing before the first query.
#[derive(Debug)]
pub struct S3Connection {
    endpoint: Option<String>,
    region: String,
    credentials: Option<SharedCredentialsProvider>,
    buckets: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl S3Connection {
    /// A store at an endpoint of one's own, with these keys.
    pub fn new(endpoint: &str, access_key_id: &str, secret_access_key: &str) -> S3Connection {
        let keys = Credentials::new(access_key_id, secret_access_key, None, None, "given");
        S3Connection {
            endpoint: Some(endpoint.to_owned()),
            region: tickertape_client::s3::LOCAL_REGION.to_owned(),
            credentials: Some(SharedCredentialsProvider::new(keys)),
            buckets: Mutex::default(),
        }
    }

    /// The store that an AWS configuration names.
    pub fn from_sdk_config(config: &SdkConfig) -> S3Connection {
        let region = config.region().map(ToString::to_string);
        S3Connection {
            endpoint: config.endpoint_url().map(str::to_owned),
            region: region.unwrap_or_else(|| tickertape_client::s3::LOCAL_REGION.to_owned()),
            credentials: config.credentials_provider(),
            buckets: Mutex::default(),
        }
    }

    /// The store that command-line options name.
    pub async fn from_options(options: &S3Options) -> anyhow::Result<S3Connection> {
        Ok(S3Connection::from_sdk_config(&options.sdk_config().await?))
    }

    /// The client of one bucket; always the same, so that its connections are used again.
    pub(super) fn bucket(&self, name: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = buckets.get(name) {
            return Ok(Arc::clone(store));
        }
        let mut builder = AmazonS3Builder::new().with_bucket_name(name).with_region(&self.region);
        if let Some(endpoint) = &self.endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http://"))
                .with_virtual_hosted_style_request(false);
        }
        builder = match &self.credentials {
            Some(provider) => builder.with_credentials(Arc::new(SdkCredentials(provider.clone()))),
            None => builder.with_skip_signature(true),
        };
        let store: Arc<dyn ObjectStore> = Arc::new(builder.build()?);
        buckets.insert(name.to_owned(), Arc::clone(&store));
        Ok(store)
    }
}

/// The SDK's credentials, which are renewed when they expire, in `object_store`'s form.
#[derive(Debug)]
struct SdkCredentials(SharedCredentialsProvider);

#[async_trait]
impl CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let keys = self
            .0
            .provide_credentials()
            .await
            .map_err(|error| object_store::Error::Generic {
                store: "S3",
                source: Box::new(error),
            })?;
        Ok(Arc::new(AwsCredential {
            key_id: keys.access_key_id().to_owned(),
            secret_key: keys.secret_access_key().to_owned(),
            token: keys.session_token().map(str::to_owned),
        }))
    }
}

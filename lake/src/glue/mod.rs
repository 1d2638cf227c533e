//! The catalog as AWS Glue serves it: JSON 1.1 over `POST /`, `X-Amz-Target: AWSGlue.<Operation>`, signed with
//! Signature Version 4. Programs in other processes, in any language, reach the embedded catalog with their
//! own Glue client, and the code that talks to it here is the code that talks to AWS.
//!
//! It answers what the operations of databases, tables and partitions answer, and three of its own that Glue doesn't have
//! (`Tickertape…`, see `objects`), which each answer's [`KEEPS_OBJECTS`] says; anything else is
//! `UnknownOperationException`. Errors have Glue's names (`EntityNotFoundException`, …).
//!
//! It knows a [`Catalog`] and nothing of where that keeps things. It never reads an object.

mod auth;
mod databases;
mod error;
mod objects;
mod paging;
mod partitions;
mod tables;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Limited};
use s3s::Body;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::catalog::Catalog;
use auth::Keys;
use error::GlueError;

/// What an operation's name starts with in `X-Amz-Target`.
const TARGET_PREFIX: &str = "AWSGlue.";
/// The longest request: a hundred partitions of a table with thousands of columns fit.
pub(crate) const REQUEST_BYTES_MAX: usize = 16 << 20;
/// The header of every answer of a catalog that keeps objects ([`Catalog::keeps_objects`]), by which clients know it.
pub(crate) const KEEPS_OBJECTS: &str = "x-tickertape-keeps-objects";

type Answer = Result<Value, GlueError>;

/// Serves a catalog.
#[derive(Clone, Debug)]
pub struct Endpoint {
    catalog: Arc<dyn Catalog>,
    keys: Arc<Keys>,
}

impl Endpoint {
    /// Serves `catalog` to who signs with these keys.
    pub fn new(catalog: Arc<dyn Catalog>, access_key_id: &str, secret_access_key: &str) -> Self {
        Self {
            catalog,
            keys: Arc::new(Keys::new(access_key_id, secret_access_key)),
        }
    }

    /// Whether a request is for Glue, and not for S3, which shares the port.
    pub fn is_match(method: &Method, path: &str, headers: &HeaderMap) -> bool {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        method == Method::POST && path == "/" && target.is_some_and(|target| target.starts_with(TARGET_PREFIX))
    }

    /// Answers a request. Every failure is an answer too.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (answer, keeps) = match self.catalog.keeps_objects().await {
            Ok(keeps) => (self.call(request).await, keeps),
            Err(error) => (Err(error.into()), false),
        };
        let mut response = match answer {
            Ok(value) => respond(200, &value, None),
            Err(error) => {
                if error.status >= 500 {
                    tracing::error!(
                        code = error.code,
                        message = error.message,
                        "a request to the catalog failed"
                    );
                }
                let body = json!({ "__type": error.code, "Message": error.message });
                respond(error.status, &body, Some(error.code))
            }
        };
        if keeps {
            let name = HeaderName::from_static(KEEPS_OBJECTS);
            response.headers_mut().insert(name, HeaderValue::from_static("true"));
        }
        response
    }

    async fn call<B>(&self, request: Request<B>) -> Answer
    where
        B: hyper::body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return Err(GlueError::validation(format!("the request cannot be read: {error}"))),
        };
        self.keys.check(&parts, &body)?;
        let target = parts
            .headers
            .get("x-amz-target")
            .and_then(|target| target.to_str().ok());
        let operation = target
            .and_then(|target| target.strip_prefix(TARGET_PREFIX))
            .unwrap_or_default();
        dispatch(&*self.catalog, operation, &body).await
    }
}

/// All that is served, by Glue's names.
async fn dispatch(catalog: &dyn Catalog, operation: &str, body: &[u8]) -> Answer {
    match operation {
        "CreateDatabase" => databases::create(catalog, read(body)?).await,
        "GetDatabase" => databases::get(catalog, read(body)?).await,
        "GetDatabases" => databases::list(catalog, read(body)?).await,
        "UpdateDatabase" => databases::update(catalog, read(body)?).await,
        "DeleteDatabase" => databases::delete(catalog, read(body)?).await,
        "CreateTable" => tables::create(catalog, read(body)?).await,
        "GetTable" => tables::get(catalog, read(body)?).await,
        "GetTables" => tables::list(catalog, read(body)?).await,
        "UpdateTable" => tables::update(catalog, read(body)?).await,
        "DeleteTable" => tables::delete(catalog, read(body)?).await,
        "BatchDeleteTable" => tables::delete_batch(catalog, read(body)?).await,
        "CreatePartition" => partitions::create(catalog, read(body)?).await,
        "BatchCreatePartition" => partitions::create_batch(catalog, read(body)?).await,
        "GetPartition" => partitions::get(catalog, read(body)?).await,
        "GetPartitions" => partitions::list(catalog, read(body)?).await,
        "BatchGetPartition" => partitions::get_batch(catalog, read(body)?).await,
        "UpdatePartition" => partitions::update(catalog, read(body)?).await,
        "BatchUpdatePartition" => partitions::update_batch(catalog, read(body)?).await,
        "DeletePartition" => partitions::delete(catalog, read(body)?).await,
        "BatchDeletePartition" => partitions::delete_batch(catalog, read(body)?).await,
        "TickertapeRegisterObjects" => objects::register(catalog, read(body)?).await,
        "TickertapeGetSnapshot" => objects::snapshot(catalog, read(body)?).await,
        "TickertapeGetObjects" => objects::list(catalog, read(body)?).await,
        other => Err(GlueError::unknown_operation(other)),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, GlueError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| GlueError::validation(format!("the request is not valid: {error}")))
}

fn respond(status: u16, body: &Value, error: Option<&'static str>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(code) = error {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(code));
    }
    response
}

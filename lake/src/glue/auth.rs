//! Who may ask: whoever signed the request with the keys of the server. The request is signed again here, with
//! AWS's own signer, and the two signatures compared.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::request::Parts;

use super::error::GlueError;

/// How far a client's clock may be off.
const SKEW_MAX: Duration = Duration::from_secs(15 * 60);

/// The keys that are known.
pub(super) struct Keys {
    access_key_id: String,
    secret_access_key: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// What an `Authorization` header says.
struct Authorization<'a> {
    access_key_id: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// `AWS4-HMAC-SHA256 Credential=id/date/region/service/aws4_request, SignedHeaders=a;b, Signature=hex`
    fn parse(text: &'a str) -> Option<Self> {
        let mut credential = None;
        let mut signed_headers = None;
        let mut signature = None;
        for part in text.strip_prefix("AWS4-HMAC-SHA256")?.split(',') {
            match part.trim().split_once('=')? {
                ("Credential", value) => credential = Some(value),
                ("SignedHeaders", value) => signed_headers = Some(value),
                ("Signature", value) => signature = Some(value),
                _ => return None,
            }
        }
        // An access key id may hold slashes; the rest of the scope does not.
        let mut scope = credential?.rsplitn(5, '/');
        let _terminator = scope.next().filter(|terminator| *terminator == "aws4_request")?;
        let (service, region, _date) = (scope.next()?, scope.next()?, scope.next()?);
        Some(Self {
            access_key_id: scope.next()?,
            region,
            service,
            signed_headers: signed_headers?.split(';').collect(),
            signature: signature?,
        })
    }
}

impl Keys {
    pub(super) fn new(access_key_id: &str, secret_access_key: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
        }
    }

    /// Refuses a request that was not signed with these keys, or long ago.
    pub(super) fn check(&self, request: &Parts, body: &[u8]) -> Result<(), GlueError> {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
        let Some(authorization) = header("authorization") else {
            let error = GlueError::new("MissingAuthenticationTokenException", "Missing Authentication Token");
            return Err(GlueError { status: 403, ..error });
        };
        let authorization = Authorization::parse(authorization).ok_or_else(|| {
            GlueError::new(
                "IncompleteSignatureException",
                "The Authorization header cannot be understood",
            )
        })?;
        if authorization.access_key_id != self.access_key_id {
            let message = "The security token included in the request is invalid.";
            return Err(GlueError::new("UnrecognizedClientException", message));
        }
        let time = header("x-amz-date").and_then(parse_date).ok_or_else(|| {
            GlueError::new(
                "IncompleteSignatureException",
                "The x-amz-date header is missing or malformed",
            )
        })?;
        if distance(time, SystemTime::now()) > SKEW_MAX {
            let message = "Signature expired: x-amz-date is more than 15 minutes from the server's time";
            return Err(GlueError::new("InvalidSignatureException", message));
        }
        let expected = self.sign(request, body, &authorization, time);
        if expected.is_some_and(|expected| same(expected.as_bytes(), authorization.signature.as_bytes())) {
            return Ok(());
        }
        Err(GlueError::new(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
        ))
    }

    /// The signature that the request should have.
    fn sign(&self, request: &Parts, body: &[u8], said: &Authorization<'_>, time: SystemTime) -> Option<String> {
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        let identity = Credentials::new(&self.access_key_id, &self.secret_access_key, None, None, "server").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(said.region)
            .name(said.service)
            .time(time)
            .settings(settings)
            .build()
            .ok()?;
        let headers: Option<Vec<(&str, &str)>> = said
            .signed_headers
            .iter()
            .map(|name| Some((*name, request.headers.get(*name)?.to_str().ok()?)))
            .collect();
        let headers = headers?;
        let host = request.headers.get("host")?.to_str().ok()?;
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("http://{host}{path}");
        let signable = SignableRequest::new(
            request.method.as_str(),
            uri,
            headers.into_iter(),
            SignableBody::Bytes(body),
        )
        .ok()?;
        let (_, signature) = sign(signable, &params.into()).ok()?.into_parts();
        Some(signature)
    }
}

/// Takes as long whatever the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn parse_date(text: &str) -> Option<SystemTime> {
    let time = chrono::NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok()?;
    Some(time.and_utc().into())
}

fn distance(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|error| error.duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read() {
        let text = "AWS4-HMAC-SHA256 Credential=key/id/20260102/eu-west-1/glue/aws4_request, SignedHeaders=host;x-amz-date, Signature=ab12";
        let read = Authorization::parse(text).unwrap();
        assert_eq!(
            (read.access_key_id, read.region, read.service),
            ("key/id", "eu-west-1", "glue")
        );
        assert_eq!(
            (read.signed_headers, read.signature),
            (vec!["host", "x-amz-date"], "ab12")
        );
        for cut in 0..text.len() - "Signature=ab12".len() {
            assert!(Authorization::parse(&text[..cut]).is_none(), "{cut}");
        }
    }
}

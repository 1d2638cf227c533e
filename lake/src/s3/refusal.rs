//! The document of an error, completed to what Amazon S3 sends: a message for whatever the protocol's library refuses without one,
//! the resource, and the request's id; and where the region was no region, the one that is right.

use std::borrow::Cow;

use http::header::CONTENT_LENGTH;
use s3s::{Body, HttpResponse};

use super::ops::REGION;

/// What the library says of a name that is no region's, as `US`.
const NO_REGION: &str = "invalid credential region";
const END: &str = "</Error>";

/// Completes the answer if it is an error's document; all others stay as they are.
pub(super) fn complete(mut answer: HttpResponse, resource: &str, request_id: &str) -> HttpResponse {
    if !answer.status().is_client_error() && !answer.status().is_server_error() {
        return answer;
    }
    let Some(document) = answer.body().bytes() else {
        return answer;
    };
    let Some(completed) = completed(&document, resource, request_id) else {
        return answer;
    };
    answer.headers_mut().remove(CONTENT_LENGTH);
    *answer.body_mut() = Body::from(completed);
    answer
}

fn completed(document: &[u8], resource: &str, request_id: &str) -> Option<String> {
    let document = std::str::from_utf8(document).ok()?;
    let start = document.trim_end().strip_suffix(END)?;
    let start = match start.contains(NO_REGION) {
        // Clients that find a region here sign for it from now on.
        true => &format!(
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region is wrong; \
             expecting '{REGION}'</Message><Region>{REGION}</Region>"
        ),
        false => start,
    };
    let message = match start.contains("<Message>") {
        true => String::new(),
        false => format!("<Message>{}</Message>", message_of(code_of(start)?)),
    };
    let resource = escaped(resource);
    Some(format!(
        "{start}{message}<Resource>{resource}</Resource><RequestId>{request_id}</RequestId>{END}"
    ))
}

fn code_of(document: &str) -> Option<&str> {
    let (_, rest) = document.split_once("<Code>")?;
    Some(rest.split_once("</Code>")?.0)
}

/// What Amazon S3 says to a code.
fn message_of(code: &str) -> &'static str {
    match code {
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        }
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "IncompleteBody" => "You did not provide the number of bytes specified by the Content-Length HTTP header",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "NotImplemented" => "A header you provided implies functionality that is not implemented",
        _ => "The request was refused.",
    }
}

/// As text of an element.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>']) {
        return text.into();
    }
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_gets_what_it_lacks_and_keeps_what_it_has() {
        let bare = b"<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code></Error>";
        let all = completed(bare, "/lake/a&b", "7f").unwrap();
        assert!(
            all.contains("<Message>The request signature we calculated does not match"),
            "{all}"
        );
        assert!(
            all.ends_with("<Resource>/lake/a&amp;b</Resource><RequestId>7f</RequestId></Error>"),
            "{all}"
        );
        let told = b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>";
        let all = completed(told, "/", "1").unwrap();
        assert_eq!(all.matches("<Message>").count(), 1);
        assert!(all.contains("gone"));
        let region = b"<Error><Code>InvalidRequest</Code><Message>invalid credential region: invalid region: US</Message></Error>";
        let all = completed(region, "/", "1").unwrap();
        assert!(
            all.contains("<Code>AuthorizationHeaderMalformed</Code>") && all.contains("<Region>us-east-1</Region>"),
            "{all}"
        );
        assert_eq!(completed(b"<ListBucketResult/>", "/", "1"), None);
    }
}

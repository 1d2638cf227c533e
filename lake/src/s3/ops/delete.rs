//! DeleteObject and DeleteObjects.

use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::Backend;
use super::get::check_version;
use crate::s3::condition::WriteCondition;

/// The most that S3 deletes in one request.
const BATCH_KEYS_MAX: usize = 1000;

impl Backend {
    pub(crate) async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        let condition = WriteCondition::new(input.if_match.as_ref(), None)?;
        self.change(move |store| {
            let deleted = store.delete_object(&input.bucket, &input.key, &condition)?;
            Ok(((), vec![deleted]))
        })
        .await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    pub(crate) async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        if delete.objects.len() > BATCH_KEYS_MAX {
            return Err(s3_error!(MalformedXML, "A batch deletes at most {BATCH_KEYS_MAX} keys"));
        }
        let quiet = delete.quiet.unwrap_or_default();
        if let Some(object) = delete.objects.iter().find(|object| !can_stand_in_xml(&object.key)) {
            // Before anything is deleted: the answer could not name it.
            return Err(s3_error!(
                InvalidArgument,
                "{:?} cannot stand in an XML document; DeleteObject deletes it",
                object.key
            ));
        }
        let outcomes = self
            .change(move |store| {
                store.require_bucket(&bucket)?;
                let mut outcomes = Vec::with_capacity(delete.objects.len());
                let mut released = Vec::new();
                for object in delete.objects {
                    let outcome = check_version(object.version_id.as_deref()).and_then(|()| {
                        let condition = match &object.e_tag {
                            Some(etag) => WriteCondition::Is(etag.value().to_owned()),
                            None => WriteCondition::None,
                        };
                        released.push(store.delete_object(&bucket, &object.key, &condition)?);
                        Ok(())
                    });
                    outcomes.push((object.key, outcome));
                }
                Ok((outcomes, released))
            })
            .await?;
        let (mut done, mut errors) = (Vec::new(), Vec::new());
        for (key, outcome) in outcomes {
            match outcome {
                Ok(()) => done.push(DeletedObject {
                    key: Some(key),
                    ..Default::default()
                }),
                Err(error) => errors.push(entry(key, &error)),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet && !done.is_empty()).then_some(done),
            errors: (!errors.is_empty()).then_some(errors),
            ..Default::default()
        }))
    }
}

/// Whether XML 1.0 has all of a key's characters.
fn can_stand_in_xml(key: &str) -> bool {
    let may_stand = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..);
    key.chars()
        .all(|c| may_stand(c) && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

fn entry(key: String, error: &S3Error) -> Error {
    Error {
        key: Some(key),
        code: Some(error.code().as_str().to_owned()),
        message: error.message().map(str::to_owned),
        version_id: None,
    }
}

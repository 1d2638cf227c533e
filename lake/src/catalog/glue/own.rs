//! Operations that only the embedded server has, asked by Glue's own client: signed, tried again and given up as all of Glue's
//! are. A request of Glue's is sent with another operation's name and body, and the answer's body is read before the client
//! makes nothing of it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_glue::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_glue::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_glue::error::BoxError;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{GlueCatalog, mapped};
use crate::catalog::{CatalogError, Registered, RegisteredObject, Registration, Snapshot};

/// Puts another operation in a request's place, and keeps what is answered.
#[derive(Debug, Clone)]
struct Operation {
    target: String,
    body: String,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Intercept for Operation {
    fn name(&self) -> &'static str {
        "Operation"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        *request.body_mut() = SdkBody::from(self.body.as_str());
        let headers = request.headers_mut();
        headers.try_insert("x-amz-target", self.target.clone())?;
        headers.try_insert("content-length", self.body.len().to_string())?;
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = body.to_vec();
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerOfRegister {
    registered: Registered,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerOfSnapshot {
    kept: bool,
    snapshot: Option<Snapshot>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerOfList {
    objects: Option<Vec<RegisteredObject>>,
    next_token: Option<String>,
}

impl GlueCatalog {
    async fn ask<T: DeserializeOwned>(&self, operation: &str, body: &Value, name: &str) -> Result<T, CatalogError> {
        let answer = Arc::new(Mutex::new(Vec::new()));
        let asked = Operation {
            target: format!("AWSGlue.{operation}"),
            body: body.to_string(),
            answer: Arc::clone(&answer),
        };
        let request = self.client.get_table().database_name("-").name("-");
        let sent = request.customize().interceptor(asked).send().await;
        sent.map_err(|error| mapped(error, "table", name))?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::from_slice(&answer)
            .map_err(|error| CatalogError::NotServed(format!("{operation} was answered in another form: {error}")))
    }

    pub(super) async fn ask_kept(&self) -> Result<bool, CatalogError> {
        let answer: AnswerOfSnapshot = self.ask("TickertapeGetSnapshot", &json!({}), "").await?;
        Ok(answer.kept)
    }

    pub(super) async fn ask_register(
        &self,
        database: &str,
        table: &str,
        registration: &Registration,
    ) -> Result<Registered, CatalogError> {
        let body = json!({ "DatabaseName": database, "TableName": table, "Registration": registration });
        let name = format!("{database}.{table}");
        let answer: Result<AnswerOfRegister, _> = self.ask("TickertapeRegisterObjects", &body, &name).await;
        unless_not_served(answer.map(|answer| answer.registered), Registered::NotKept)
    }

    pub(super) async fn ask_snapshot(
        &self,
        database: &str,
        table: &str,
        source: Option<&str>,
    ) -> Result<Option<Snapshot>, CatalogError> {
        let body = json!({ "DatabaseName": database, "TableName": table, "Source": source });
        let name = format!("{database}.{table}");
        let answer: Result<AnswerOfSnapshot, _> = self.ask("TickertapeGetSnapshot", &body, &name).await;
        unless_not_served(answer.map(|answer| answer.snapshot), None)
    }

    pub(super) async fn ask_objects(
        &self,
        database: &str,
        table: &str,
        snapshot: &Snapshot,
        partitions: Option<&[Vec<String>]>,
    ) -> Result<Option<Vec<RegisteredObject>>, CatalogError> {
        let (mut all, mut token) = (Vec::new(), None::<String>);
        loop {
            let body = json!({
                "DatabaseName": database, "TableName": table, "Snapshot": snapshot, "Partitions": partitions,
                "NextToken": token,
            });
            let name = format!("{database}.{table}");
            let page: Result<AnswerOfList, _> = self.ask("TickertapeGetObjects", &body, &name).await;
            let Some(page) = unless_not_served(page.map(Some), None)? else {
                return Ok(None);
            };
            let Some(objects) = page.objects else {
                return Ok(None);
            };
            all.extend(objects);
            match page.next_token {
                Some(next) => token = Some(next),
                None => return Ok(Some(all)),
            }
        }
    }
}

/// Who doesn't know the operation keeps nothing.
fn unless_not_served<T>(answer: Result<T, CatalogError>, otherwise: T) -> Result<T, CatalogError> {
    match answer {
        Err(CatalogError::NotServed(_)) => Ok(otherwise),
        answer => answer,
    }
}

//! Operations that only the embedded server has, asked by Glue's own client: signed, tried again and given up as all of Glue's
//! are. A request of Glue's is sent with another operation's name and body, and the answer's body is read before the client
//! makes nothing of it.
//!
//! Who is asked is told by a header that the embedded server has in each of its answers ([`KEEPS_OBJECTS`]). So nobody else is
//! sent an operation that he doesn't know, and an answer that says nothing, such as a proxy's, decides nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_glue::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextRef,
    BeforeTransmitInterceptorContextMut,
};
use aws_sdk_glue::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_glue::error::BoxError;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::GlueCatalog;
use super::errors::mapped;
use crate::catalog::{CatalogError, Registered, RegisteredObject, Registration, Snapshot};
use crate::glue::{KEEPS_OBJECTS, REQUEST_BYTES_MAX};

/// What is asked for to see who answers. There is no such table.
const NOBODYS: &str = "-";

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

/// Sees whether an answer is of a catalog that keeps objects.
#[derive(Debug, Clone, Default)]
struct Answerer {
    keeps: Arc<AtomicBool>,
}

impl Intercept for Answerer {
    fn name(&self) -> &'static str {
        "Answerer"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().headers().contains_key(KEEPS_OBJECTS) {
            self.keeps.store(true, Ordering::Release);
        }
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
        let request = self.client.get_table().database_name(NOBODYS).name(NOBODYS);
        let sent = request.customize().interceptor(asked).send().await;
        sent.map_err(|error| mapped(error, "table", name))?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::from_slice(&answer)
            .map_err(|error| CatalogError::NotServed(format!("{operation} was answered in another form: {error}")))
    }

    /// Any answer of Glue's kind tells; one of another kind, or none, is an error.
    pub(super) async fn ask_kept(&self) -> Result<bool, CatalogError> {
        let answerer = Answerer::default();
        let request = self.client.get_table().database_name(NOBODYS).name(NOBODYS);
        let sent = request.customize().interceptor(answerer.clone()).send().await;
        let keeps = answerer.keeps.load(Ordering::Acquire);
        match sent.map_err(|error| mapped(error, "table", NOBODYS)) {
            Err(error @ (CatalogError::Unavailable(_) | CatalogError::NotServed(_))) if !keeps => Err(error),
            // Who may not look at a table that isn't there has been answered as well.
            _ => Ok(keeps),
        }
    }

    pub(super) async fn ask_register(
        &self,
        database: &str,
        table: &str,
        registration: &Registration,
    ) -> Result<Registered, CatalogError> {
        let of = |registration: &Registration| json!({ "DatabaseName": database, "TableName": table, "Registration": registration });
        let mut body = of(registration);
        if body.to_string().len() > REQUEST_BYTES_MAX {
            // Known to be there they have to be; what is known of their columns only saves requests.
            let mut plain = registration.clone();
            plain.objects.iter_mut().for_each(|object| object.columns.clear());
            body = of(&plain);
        }
        let name = format!("{database}.{table}");
        let answer: AnswerOfRegister = self.ask("TickertapeRegisterObjects", &body, &name).await?;
        Ok(answer.registered)
    }

    pub(super) async fn ask_snapshot(
        &self,
        database: &str,
        table: &str,
        source: Option<&str>,
    ) -> Result<Option<Snapshot>, CatalogError> {
        let body = json!({ "DatabaseName": database, "TableName": table, "Source": source });
        let name = format!("{database}.{table}");
        let answer: AnswerOfSnapshot = self.ask("TickertapeGetSnapshot", &body, &name).await?;
        Ok(answer.snapshot)
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
            let page: AnswerOfList = self.ask("TickertapeGetObjects", &body, &name).await?;
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

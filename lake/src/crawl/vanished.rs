//! Whether the catalog has objects registered that are not there any more: deleted by hand, or by a lifecycle rule.
//!
//! Queries of such a table would count rows that are gone, or fail. Where there is one, its objects have to be listed from now
//! on ([`crate::catalog::list_from_now_on`]).

use std::collections::HashSet;

use aws_sdk_s3::Client;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::layout::Folder;
use super::objects;
use crate::catalog::{Catalog, RegisteredObject, Table};

/// How many objects are looked for at a time.
const CONCURRENT_LOOKS: usize = 16;

/// The key of a registered object that isn't there, if there is one. Those that the folder's listing doesn't have are looked
/// for once more: they may have been put since.
pub(super) async fn vanished(
    client: &Client,
    catalog: &dyn Catalog,
    table: Option<&Table>,
    folder: &Folder,
) -> anyhow::Result<Option<String>> {
    let location = folder.location.to_string();
    let same = |at: &str| at.trim_end_matches('/') == location.trim_end_matches('/');
    let marked = |table: &&Table| table.has_registered_objects() && table.location().is_some_and(same);
    let Some(table) = table.filter(marked) else {
        return Ok(None);
    };
    let (database, name) = (&table.database, &table.name);
    let Some(snapshot) = catalog.snapshot(database, name, None).await? else {
        return Ok(None);
    };
    let Some(registered) = catalog.objects(database, name, &snapshot, None).await? else {
        return Ok(None);
    };
    let listed: HashSet<&str> = folder.files.iter().map(|file| file.object.key.as_str()).collect();
    let unlisted = registered
        .into_iter()
        .filter(|object| !listed.contains(object.key.as_str()));
    let look = |object: RegisteredObject| async move {
        let there = objects::is_there(client, &folder.location.bucket, &object.key).await?;
        anyhow::Ok((!there).then_some(object.key))
    };
    let looks: Vec<_> = unlisted.map(look).collect();
    let gone = stream::iter(looks)
        .buffered(CONCURRENT_LOOKS)
        .try_filter_map(|gone| async move { Ok(gone) });
    std::pin::pin!(gone).try_next().await
}

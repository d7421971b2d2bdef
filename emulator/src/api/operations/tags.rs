//! The operations on tags, AddTagsToResource and ListTagsForResource, and the constraints on tags
//! that the service model has no form for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    account::{creation::Tag, store::Region},
    api::{call::Call, pagination::NamePageRequest, shapes, validation},
    protocol::Error,
};

/// The maximum number of tags of a resource.
const MAX_TAGS: usize = 50;

/// A tag in a response.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Row {
    key: String,
    value: String,
}

impl Row {
    pub(super) fn new((key, value): (&String, &String)) -> Self {
        Self {
            key: key.clone(),
            value: value.clone(),
        }
    }
}

/// The problems of the tags of one request.
pub(super) fn faults(tags: &[Tag]) -> Vec<String> {
    let mut faults = Vec::new();
    if tags.len() > MAX_TAGS {
        faults.push(too_many());
    }
    if tags.iter().any(|tag| tag.key.starts_with("aws:")) {
        faults.push("A tag's key cannot begin with aws:.".to_owned());
    }
    let keys: BTreeSet<&str> = tags.iter().map(|tag| tag.key.as_str()).collect();
    if keys.len() < tags.len() {
        faults.push("Two tags have the same key.".to_owned());
    }
    faults
}

/// Adds tags to those of a resource. A new value of a key replaces the old one.
fn merge(to: &mut BTreeMap<String, String>, tags: Vec<Tag>) -> Result<(), Error> {
    let new = tags.iter().filter(|tag| !to.contains_key(&tag.key)).count();
    if to.len() + new > MAX_TAGS {
        return Err(Error::invalid(too_many()));
    }
    to.extend(tags.into_iter().map(|tag| (tag.key, tag.value)));
    Ok(())
}

/// Adds valid tags to a new resource.
pub(super) fn add_to_new(region: &mut Region, arn: &str, tags: &[Tag]) {
    if !tags.is_empty() {
        let tags = tags.iter().map(|tag| (tag.key.clone(), tag.value.clone()));
        region.tags_mut(arn).extend(tags);
    }
}

/// Rejects an ARN that is not of a gateway, tape or custom pool of the account in this region.
fn check_resource(region: Option<&Region>, arn: &str, call: &Call<'_>) -> Result<(), Error> {
    let found = |is_there: fn(&Region, &Call<'_>, &str) -> bool| {
        region.is_some_and(|region| is_there(region, call, arn))
    };
    if arn.contains(":tape/") {
        let found = found(|region, call, arn| call.tape(region, arn).is_ok());
        return if found {
            Ok(())
        } else {
            Err(call.tape_not_found(arn))
        };
    }
    if arn.contains(":gateway/") {
        let found = found(|region, _, arn| region.gateway(arn).is_some());
        return if found {
            Ok(())
        } else {
            Err(call.gateway_not_found(arn))
        };
    }
    let is_pool = |region: &Region, call: &Call<'_>, arn: &str| {
        let id = call.pool_arns.id(arn);
        id.is_some_and(|id| region.pools().contains_key(id))
    };
    if found(is_pool) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "No gateway, tape or custom pool has the ARN {arn}."
    )))
}

fn too_many() -> String {
    format!("A resource has at most {MAX_TAGS} tags.")
}

#[derive(Serialize)]
pub(super) struct AddOutput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
}

pub(super) fn add(body: &[u8], call: &Call<'_>) -> Result<AddOutput, Error> {
    let (resource_arn, new) = validation::read(body, |members| {
        (
            members.required("ResourceARN", &shapes::RESOURCE_ARN),
            members.required("Tags", &shapes::TAGS),
        )
    })?;
    let (mut store, _) = call.emulator.write();
    check_resource(store.region(&call.at), &resource_arn, call)?;
    let causes = faults(&new);
    if !causes.is_empty() {
        return Err(Error::invalid(causes.join(" ")));
    }
    let region = store.region_or_new(&call.at, &call.settings.life);
    merge(region.tags_mut(&resource_arn), new)?;
    Ok(AddOutput { resource_arn })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tags: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

pub(super) fn list(body: &[u8], call: &Call<'_>) -> Result<ListOutput, Error> {
    let (resource_arn, page) = validation::read(body, |members| {
        (
            members.required("ResourceARN", &shapes::RESOURCE_ARN),
            NamePageRequest::read(members),
        )
    })?;
    let (store, now) = call.emulator.read();
    let page = page.resolve(
        &["ListTagsForResource", &call.at.region, &resource_arn],
        call,
        now,
    )?;
    let region = store.region(&call.at);
    check_resource(region, &resource_arn, call)?;
    let rows = region.and_then(|region| region.tags(&resource_arn));
    let rows = rows
        .into_iter()
        .flatten()
        .map(|tag| (tag.0.as_str(), Row::new(tag)));
    let (tags, marker) = page.of(rows);
    Ok(ListOutput {
        resource_arn,
        tags,
        marker,
    })
}

//! The tags of resources, and what the service model cannot say of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Call;
use crate::{error::Error, shapes::Tag, store::Region};

/// The tags that a resource has at most.
const MOST: usize = 50;

/// A tag in an answer.
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

/// What is wrong with the tags of one request.
pub(super) fn faults(tags: &[Tag]) -> Vec<String> {
    let mut faults = Vec::new();
    if tags.len() > MOST {
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

/// Adds tags to those that a resource has; the later value of a key stands.
pub(super) fn add(to: &mut BTreeMap<String, String>, tags: Vec<Tag>) -> Result<(), Error> {
    let new = tags.iter().filter(|tag| !to.contains_key(&tag.key)).count();
    if to.len() + new > MOST {
        return Err(Error::invalid(too_many()));
    }
    to.extend(tags.into_iter().map(|tag| (tag.key, tag.value)));
    Ok(())
}

/// Gives a new resource tags that have no faults.
pub(super) fn give(region: &mut Region, arn: &str, tags: &[Tag]) {
    if !tags.is_empty() {
        let tags = tags.iter().map(|tag| (tag.key.clone(), tag.value.clone()));
        region.tags_mut(arn).extend(tags);
    }
}

/// Refuses an ARN that is of no gateway, tape or custom pool of the account in this region.
pub(super) fn check_resource(region: Option<&Region>, arn: &str, call: &Call<'_>) -> Result<(), Error> {
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
    format!("A resource has at most {MOST} tags.")
}

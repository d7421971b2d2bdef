use serde::Serialize;

use super::{Call, tags};
use crate::{error::Error, name_page::NamePageRequest, shapes, validation};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tags: Vec<tags::Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Answer, Error> {
    let (resource_arn, page) = validation::read(body, |members| {
        (
            members.required("ResourceARN", &shapes::RESOURCE_ARN),
            NamePageRequest::read(members),
        )
    })?;
    let (store, now) = call.account.read();
    let page = page.resolve(
        &["ListTagsForResource", call.region, &resource_arn],
        call.settings,
        now,
    )?;
    let region = store.region(call.region);
    tags::check_resource(region, &resource_arn, call)?;
    let rows = region.and_then(|region| region.tags(&resource_arn));
    let rows = rows
        .into_iter()
        .flatten()
        .map(|tag| (tag.0.as_str(), tags::Row::new(tag)));
    let (tags, marker) = page.of(rows);
    Ok(Answer {
        resource_arn,
        tags,
        marker,
    })
}

use serde::Serialize;

use super::{Call, tags};
use crate::{error::Error, shapes, validation};

#[derive(Serialize)]
pub(super) struct Answer {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Answer, Error> {
    let (resource_arn, new) = validation::read(body, |members| {
        (
            members.required("ResourceARN", &shapes::RESOURCE_ARN),
            members.required("Tags", &shapes::TAGS),
        )
    })?;
    let (mut store, _) = call.account.write();
    tags::check_resource(store.region(call.region), &resource_arn, call)?;
    let causes = tags::faults(&new);
    if !causes.is_empty() {
        return Err(Error::invalid(causes.join(" ")));
    }
    let region = store.region_or_new(call.region, &call.settings.life);
    tags::add(region.tags_mut(&resource_arn), new)?;
    Ok(Answer { resource_arn })
}

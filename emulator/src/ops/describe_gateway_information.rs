use serde::Serialize;

use super::{Call, tags};
use crate::{error::Error, gateway::GatewayKind, shapes, validation};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    #[serde(rename = "GatewayARN")]
    gateway_arn: String,
    gateway_id: String,
    gateway_name: String,
    gateway_timezone: &'static str,
    gateway_state: &'static str,
    gateway_type: GatewayKind,
    tags: Vec<tags::Row>,
    host_environment: &'static str,
    endpoint_type: &'static str,
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Answer, Error> {
    let gateway_arn = validation::read(body, |members| {
        members.required("GatewayARN", &shapes::GATEWAY_ARN)
    })?;
    let (store, _) = call.account.read();
    let not_found = || call.gateway_not_found(&gateway_arn);
    let region = store.region(call.region).ok_or_else(not_found)?;
    let gateway = region.gateway(&gateway_arn).ok_or_else(not_found)?;
    gateway.needs_connection()?;
    let tags = region.tags(&gateway_arn).into_iter().flatten();
    Ok(Answer {
        gateway_id: gateway.id().to_owned(),
        gateway_name: gateway.name.clone(),
        gateway_timezone: "GMT",
        gateway_state: "RUNNING",
        gateway_type: gateway.kind,
        tags: tags.map(tags::Row::new).collect(),
        host_environment: "OTHER",
        endpoint_type: "STANDARD",
        gateway_arn,
    })
}

//! The operations on gateways: DescribeGatewayInformation and ListGateways.

use serde::Serialize;

use super::tags;
use crate::{
    account::{
        gateway::{Gateway, GatewayKind},
        store::Region,
    },
    api::{call::Call, pagination::NamePageRequest, shapes, validation},
    protocol::Error,
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeOutput {
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

/// How many tags the description of a gateway has at most. ListTagsForResource has all.
const SHOWN_TAGS: usize = 10;

pub(super) fn describe(body: &[u8], call: &Call<'_>) -> Result<DescribeOutput, Error> {
    let gateway_arn = validation::read(body, |members| {
        members.required("GatewayARN", &shapes::GATEWAY_ARN)
    })?;
    let (store, _) = call.emulator.read();
    let not_found = || call.gateway_not_found(&gateway_arn);
    let region = store.region(&call.at).ok_or_else(not_found)?;
    let gateway = region.gateway(&gateway_arn).ok_or_else(not_found)?;
    gateway.check_connected()?;
    let tags = region.tags(&gateway_arn).into_iter().flatten();
    Ok(DescribeOutput {
        gateway_id: gateway.id().to_owned(),
        gateway_name: gateway.name.clone(),
        gateway_timezone: "GMT",
        gateway_state: "RUNNING",
        gateway_type: gateway.kind,
        // They are in the order of their keys.
        tags: tags.take(SHOWN_TAGS).map(tags::Row::new).collect(),
        host_environment: "OTHER",
        endpoint_type: "STANDARD",
        gateway_arn,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    gateways: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    gateway_id: String,
    #[serde(rename = "GatewayARN")]
    gateway_arn: String,
    gateway_type: GatewayKind,
    gateway_operational_state: &'static str,
    gateway_name: String,
}

impl Row {
    fn new(gateway: &Gateway) -> Self {
        Self {
            gateway_id: gateway.id().to_owned(),
            gateway_arn: gateway.arn.to_string(),
            gateway_type: gateway.kind,
            gateway_operational_state: "ACTIVE",
            gateway_name: gateway.name.clone(),
        }
    }
}

pub(super) fn list(body: &[u8], call: &Call<'_>) -> Result<ListOutput, Error> {
    let page = validation::read(body, NamePageRequest::read)?;
    let (store, now) = call.emulator.read();
    let page = page.resolve(&["ListGateways", &call.at.region], call, now)?;
    let gateways = store.region(&call.at).map(Region::gateways);
    let rows = gateways.into_iter().flatten();
    let (gateways, marker) = page.of(rows.map(|gateway| (&*gateway.arn, Row::new(gateway))));
    Ok(ListOutput { gateways, marker })
}

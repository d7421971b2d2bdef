use serde::Serialize;

use super::Call;
use crate::{
    error::Error,
    gateway::{Gateway, GatewayKind},
    name_page::NamePageRequest,
    store::Region,
    validation,
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
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

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Answer, Error> {
    let page = validation::read(body, NamePageRequest::read)?;
    let (store, now) = call.account.read();
    let page = page.resolve(&["ListGateways", call.region], call.settings, now)?;
    let gateways = store.region(call.region).map(Region::gateways);
    let rows = gateways.into_iter().flatten();
    let (gateways, marker) = page.of(rows.map(|gateway| (&*gateway.arn, Row::new(gateway))));
    Ok(Answer { gateways, marker })
}

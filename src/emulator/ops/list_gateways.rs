use serde::Serialize;

use super::Call;
use crate::emulator::{error::Error, gateway, name_page::NamePageRequest, store::Region, validation};

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
    gateway_type: &'static str,
    gateway_operational_state: &'static str,
    gateway_name: String,
}

impl Row {
    fn new(arn: &str) -> Self {
        let id = gateway::id(arn);
        Self {
            gateway_id: id.to_owned(),
            gateway_arn: arn.to_owned(),
            gateway_type: gateway::TYPE,
            gateway_operational_state: "ACTIVE",
            gateway_name: id.to_owned(),
        }
    }
}

pub(super) fn run(body: &[u8], call: &Call<'_>) -> Result<Answer, Error> {
    let page = validation::read(body, NamePageRequest::read)?;
    let page = page.resolve(&["ListGateways", call.region], call.settings)?;
    let (store, _) = call.account.read();
    let arns = store.region(call.region).map(Region::gateways);
    let (gateways, marker) = page.of(arns.into_iter().flatten().map(|arn| (arn, Row::new(arn))));
    Ok(Answer { gateways, marker })
}

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, put},
};
use serde::Serialize;
use serde_json::Value;

use super::{ErrorResponse, Json};
use crate::{
    account::gateway::{self, Gateway, GatewayKind},
    emulator::{Emulator, GatewayChange, PutError},
    json::{Members, Problem},
};

/// Every gateway, by region and ARN.
#[derive(Serialize)]
struct Gateways {
    gateways: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    arn: String,
    region: String,
    id: String,
    #[serde(rename = "type")]
    kind: GatewayKind,
    name: String,
    cache: bool,
    connected: bool,
}

impl Row {
    fn new(region: &str, gateway: &Gateway) -> Self {
        Self {
            arn: gateway.arn.to_string(),
            region: region.to_owned(),
            id: gateway.id().to_owned(),
            kind: gateway.kind,
            name: gateway.name.clone(),
            cache: gateway.cache,
            connected: gateway.connected,
        }
    }
}

pub(super) fn router() -> Router<Emulator> {
    Router::new()
        .route("/gateways", get(list))
        .route("/gateways/{region}/{id}", put(make_or_change))
}

async fn list(State(emulator): State<Emulator>) -> Json<Gateways> {
    let (store, _) = emulator.inner.read();
    let rows = store.regions().into_iter().flat_map(|(name, region)| {
        let gateways = region.gateways();
        gateways.map(move |gateway| Row::new(name, gateway))
    });
    Json(Gateways {
        gateways: rows.collect(),
    })
}

async fn make_or_change(
    State(emulator): State<Emulator>,
    Path((region, id)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Json<Row>, ErrorResponse> {
    let mut wrong = Vec::new();
    if !gateway::is_region(&region) {
        let takes = "it takes up to 25 lower-case letters, digits and hyphens, beginning with a letter";
        wrong.push(Problem::new("region", format!("\"{region}\" is wrong; {takes}")));
    }
    if !gateway::is_id(&id) {
        let takes = "it takes sgw- and 8 to 26 letters and digits";
        wrong.push(Problem::new("id", format!("\"{id}\" is wrong; {takes}")));
    }
    match read(body) {
        Ok(change) if wrong.is_empty() => match emulator.put_gateway(&region, &id, change) {
            Ok(gateway) => Ok(Json(Row::new(&region, &gateway))),
            Err(error) => Err(error.into()),
        },
        Ok(_) => Err(wrong.into()),
        Err(more) => {
            wrong.extend(more);
            Err(wrong.into())
        }
    }
}

fn read(body: Value) -> Result<GatewayChange, Vec<Problem>> {
    Members::read(body, "", |members| {
        Some(GatewayChange {
            kind: members.get("type", GatewayKind::WORDS, |value| {
                serde_json::from_value(value.clone()).ok()
            }),
            name: members.get("name", gateway::NAME_TAKES, |value| {
                let name = value.as_str().filter(|name| gateway::is_name(name));
                name.map(str::to_owned)
            }),
            cache: members.get("cache", "true or false", Value::as_bool),
            connected: members.get("connected", "true or false", Value::as_bool),
        })
    })
}

impl From<PutError> for ErrorResponse {
    fn from(error: PutError) -> Self {
        Self::new(StatusCode::CONFLICT, error.to_string())
    }
}

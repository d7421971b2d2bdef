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
    account::{
        gateway::{self, Gateway, GatewayKind},
        store::AccountRegion,
    },
    emulator::{Emulator, GatewayChange, PutError},
    json::{Members, Problem},
    settings::Settings,
};

/// Every gateway, by account, region and ARN.
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
    fn new(at: &AccountRegion, gateway: &Gateway) -> Self {
        Self {
            arn: gateway.arn.to_string(),
            region: at.region.clone(),
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
    let rows = store.regions().into_iter().flat_map(|(at, region)| {
        let gateways = region.gateways();
        gateways.map(move |gateway| Row::new(at, gateway))
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
    match read(body, &emulator.inner.settings) {
        Ok((account, change)) if wrong.is_empty() => {
            let settings = &emulator.inner.settings;
            let account = account.unwrap_or_else(|| settings.account_id.clone());
            let at = AccountRegion::new(account, region);
            let gateway = emulator.put_gateway(&at, &id, change)?;
            Ok(Json(Row::new(&at, &gateway)))
        }
        Ok(_) => Err(wrong.into()),
        Err(more) => {
            wrong.extend(more);
            Err(wrong.into())
        }
    }
}

/// The account, if there is one, and the new values.
fn read(body: Value, settings: &Settings) -> Result<(Option<String>, GatewayChange), Vec<Problem>> {
    Members::read(body, "", |members| {
        let account = members.get("account", "an account of the emulator, as 12 digits", |value| {
            let account = value.as_str().filter(|account| settings.has_account(account));
            account.map(str::to_owned)
        });
        let change = GatewayChange {
            kind: members.get("type", GatewayKind::WORDS, |value| {
                serde_json::from_value(value.clone()).ok()
            }),
            name: members.get("name", gateway::NAME_TAKES, |value| {
                let name = value.as_str().filter(|name| gateway::is_name(name));
                name.map(str::to_owned)
            }),
            cache: members.get("cache", "true or false", Value::as_bool),
            connected: members.get("connected", "true or false", Value::as_bool),
        };
        Some((account, change))
    })
}

impl From<PutError> for ErrorResponse {
    fn from(error: PutError) -> Self {
        Self::new(StatusCode::CONFLICT, error.to_string())
    }
}

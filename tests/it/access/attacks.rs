//! Attacks by callers who must not be authenticated, and the reasons of their rejection.
//!
//! Each attack makes two calls, a list and a create, which any authenticated caller may make. Each
//! call is rejected with the right reason and recorded once, without the attack's credentials.

mod claims;
mod forged;
mod forms;
mod signatures;
mod static_tokens;

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tapegate::grpc::proto::{CreateTapesRequest, ListTapesRequest, tape_service_client::TapeServiceClient};
use tonic::{Code, Status, service::interceptor::InterceptedService, transport::Channel};

use self::{
    claims::claims,
    forged::{with, with_header},
    forms::forms,
    signatures::signatures,
    static_tokens::static_tokens,
};
use crate::harness::{
    AUDIENCE, Asked, GATEWAY, Reply, SIZE, Service, Site, Upstream, With, collect, in_seconds, refusal,
    secrets,
};

/// A group whose members may do everything.
pub const OPERATORS: &[&str] = &["operators"];

/// What an attack sends as `authorization`, and the reason of its rejection.
struct Attack {
    name: String,
    authorization: Vec<HeaderValue>,
    reason: &'static str,
}

/// All attacks with tokens.
struct Attacks(Vec<Attack>);

impl Attacks {
    /// Adds an attack with these `authorization` headers.
    fn raw(&mut self, name: impl Into<String>, values: &[&str], reason: &'static str) {
        self.0.push(Attack {
            name: name.into(),
            authorization: values
                .iter()
                .map(|value| HeaderValue::from_str(value).unwrap())
                .collect(),
            reason,
        });
    }

    /// Adds an attack with this bearer token.
    fn token(&mut self, name: impl Into<String>, token: &str, reason: &'static str) {
        self.raw(name, &[&format!("Bearer {token}")], reason);
    }
}

/// Makes the two calls of an attack, neither of which may succeed.
pub async fn attack(channel: &Channel, headers: HeaderMap) -> [Status; 2] {
    let mut client = TapeServiceClient::with_interceptor(channel.clone(), With(headers));
    let listed = collect(client.list_tapes(ListTapesRequest::default()).await).await;
    [listed.unwrap_err(), create(&mut client).await.unwrap_err()]
}

async fn create(client: &mut TapeServiceClient<InterceptedService<Channel, With>>) -> Result<(), Status> {
    let request = CreateTapesRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        client_token: "made-by-an-attacker".into(),
        num_tapes_to_create: 1,
        tape_barcode_prefix: "EVIL".into(),
        ..Default::default()
    };
    client.create_tapes(request).await.map(drop)
}

pub fn authorization(values: &[HeaderValue]) -> HeaderMap {
    values
        .iter()
        .map(|value| (http::header::AUTHORIZATION, value.clone()))
        .collect()
}

/// The site's service with the audit log in a file.
pub async fn audited(site: &Site, config: &str) -> Service {
    let audit = format!("--audit-file={}", site.path("audit.jsonl").display());
    // Each rejected call has a record of its own.
    site.run(config, &[&audit, "--audit-rejections-per-minute=1000"])
        .await
}

/// Stops the service, so that all records are written, and reads the audit log.
pub async fn recorded(site: &Site, service: Service) -> (String, Vec<Value>) {
    service.stop().await.unwrap();
    let text = std::fs::read_to_string(site.path("audit.jsonl")).unwrap();
    let records = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (text, records)
}

#[tokio::test]
async fn every_invalid_token_is_rejected_with_its_reason() {
    let keys_at = Upstream::always(Reply::ok(&json!({}))).await;
    let site = Site::new();
    let mut attacks = Attacks(Vec::new());
    forms(&site, &mut attacks);
    static_tokens(&site, &mut attacks);
    claims(&site, &mut attacks);
    signatures(&site, &keys_at.endpoint(), &mut attacks);
    let service = audited(&site, &site.config()).await;

    for value in attacks.0.iter().flat_map(|attack| &attack.authorization) {
        let token = value
            .to_str()
            .unwrap_or_default()
            .rsplit(' ')
            .next()
            .unwrap_or_default();
        if token.len() > 40 {
            secrets::plant(token);
        }
    }

    let (mut admitted, mut wrong) = (0, Vec::new());
    for Attack {
        name,
        authorization: values,
        reason,
    } in &attacks.0
    {
        for status in attack(&service.channel(), authorization(values)).await {
            let rejected = refusal(&status);
            admitted += u32::from(rejected.code != Code::Unauthenticated);
            if rejected.reason != *reason || rejected.domain != "tapegate" {
                wrong.push(format!("{name}: {}, expected {reason}", rejected.reason));
            }
            assert!(rejected.details.request_info().is_some());
        }
    }
    println!("{} attacks with tokens, {admitted} admitted", attacks.0.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(admitted, 0);
    assert_eq!(
        keys_at.asked(),
        Vec::<Asked>::new(),
        "a key was fetched from a URL in a token"
    );

    let (text, records) = recorded(&site, service).await;
    assert_eq!(records.len(), 2 * attacks.0.len());
    for (records, attack) in records.chunks(2).zip(&attacks.0) {
        for (record, method) in records.iter().zip(["ListTapes", "CreateTapes"]) {
            assert_eq!(record["reason"], attack.reason, "{record}");
            assert_eq!(record["code"], "UNAUTHENTICATED");
            assert!(
                record["principal"].is_null() && record["decision"] == "none",
                "{record}"
            );
            assert_eq!(record["address"], "127.0.0.1");
            assert!(record["method"].as_str().unwrap().ends_with(method));
        }
    }
    for Attack {
        authorization, name, ..
    } in &attacks.0
    {
        for value in authorization.iter().filter_map(|value| value.to_str().ok()) {
            let token = value.rsplit(' ').next().unwrap_or_default();
            assert!(
                token.len() < 20 || !text.contains(token),
                "{name} is in the audit log"
            );
        }
    }
}

#[tokio::test]
async fn valid_tokens_are_accepted_in_every_permitted_form() {
    let site = Site::new();
    let token = site.token("somebody", OPERATORS);
    let service = site.run(&site.config(), &[]).await;
    let with_leeway = with(&site.claims("somebody", OPERATORS), "exp", json!(in_seconds(-5)));
    let several = with(
        &site.claims("somebody", OPERATORS),
        "aud",
        json!(["another", AUDIENCE]),
    );
    let one_group = with(&site.claims("somebody", &[]), "groups", json!("operators"));
    let fraction = with(
        &site.claims("somebody", OPERATORS),
        "exp",
        json!(in_seconds(60) as f64 + 0.5),
    );
    for value in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER {token}"),
        format!("bEaReR {token}"),
        format!("Bearer    {token}"),
        format!("Bearer {}", site.jwt("somebody", OPERATORS)),
        format!("Bearer {}", site.rs256.token(&site.claims("somebody", OPERATORS))),
        format!("Bearer {}", site.es256.token(&with_leeway)),
        format!("Bearer {}", site.es256.token(&several)),
        format!("Bearer {}", site.es256.token(&one_group)),
        format!("Bearer {}", site.es256.token(&fraction)),
        format!(
            "Bearer {}",
            with_header(&site.es256, r#"{"alg":"ES256"}"#, &site.claims("x", OPERATORS))
        ),
    ] {
        let headers = authorization(&[value.parse().unwrap()]);
        let mut client = TapeServiceClient::with_interceptor(service.channel(), With(headers));
        let pages = collect(client.list_tapes(ListTapesRequest::default()).await).await;
        assert_eq!(
            pages.unwrap_or_else(|status| panic!("{value}: {status:?}")).len(),
            3
        );
    }
}

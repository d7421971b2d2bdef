//! Everybody who should not be let in, and what each is told.
//!
//! Each attack makes the same two calls, a list and a create, which whoever is let in may make.
//! Each is refused, by the reason that it should be, and recorded once, without what it sent.

mod claims;
mod forms;
mod made;
mod signatures;
mod static_tokens;

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tapegate::grpc::proto::{CreateTapesRequest, ListTapesRequest, tape_service_client::TapeServiceClient};
use tonic::{Code, Status, service::interceptor::InterceptedService, transport::Channel};

use self::{
    claims::claims,
    forms::forms,
    made::{with, with_header},
    signatures::signatures,
    static_tokens::static_tokens,
};
use crate::harness::{
    AUDIENCE, Asked, GATEWAY, Reply, SIZE, Service, Site, Upstream, With, collect, in_seconds, refusal,
    secrets,
};

/// A group whose members may do everything.
pub const OPERATORS: &[&str] = &["operators"];

/// What an attack sends as `authorization`, and the reason that it is refused by.
struct Attack {
    name: String,
    authorization: Vec<HeaderValue>,
    reason: &'static str,
}

/// All attacks by tokens.
struct Attacks(Vec<Attack>);

impl Attacks {
    /// These values of `authorization`, in so many headers.
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

    /// This bearer token.
    fn token(&mut self, name: impl Into<String>, token: &str, reason: &'static str) {
        self.raw(name, &[&format!("Bearer {token}")], reason);
    }
}

/// What an attack comes to: it must not succeed.
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

/// The site's service with its audit in a file.
pub async fn audited(site: &Site, config: &str) -> Service {
    let audit = site.path("audit.jsonl");
    site.run(config, &[&format!("--audit-file={}", audit.display())])
        .await
}

/// All that is in the audit, which is written by the time that the service has stopped.
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
async fn no_token_that_should_not_be_is_let_in_and_each_is_told_why() {
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

    let (mut let_in, mut wrong) = (0, Vec::new());
    for Attack {
        name,
        authorization: values,
        reason,
    } in &attacks.0
    {
        for status in attack(&service.channel(), authorization(values)).await {
            let refused = refusal(&status);
            let_in += u32::from(refused.code != Code::Unauthenticated);
            if refused.reason != *reason || refused.domain != "tapegate" {
                wrong.push(format!("{name}: {} and not {reason}", refused.reason));
            }
            assert!(refused.details.request_info().is_some());
        }
    }
    println!("{} attacks by tokens, {let_in} let in", attacks.0.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(let_in, 0);
    assert_eq!(
        keys_at.asked(),
        Vec::<Asked>::new(),
        "a key was fetched from where a token said"
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
                "{name} is in the audit"
            );
        }
    }
}

#[tokio::test]
async fn what_is_right_is_let_in_however_it_is_spelt() {
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

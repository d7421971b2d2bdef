//! docs/service_config.json, which client libraries load, and its DNS record.

use std::{collections::BTreeSet, time::Duration};

use prost::Message;
use serde_json::{Value, json};
use tapegate::app::settings::SETTINGS;

fn config() -> Value {
    serde_json::from_str(include_str!("../../docs/service_config.json")).unwrap()
}

/// The one string that DNS gives for the TXT record of the page.
fn txt() -> String {
    let page = include_str!("../../docs/service-config.md");
    let (_, record) = page.split_once("```dns\n").unwrap();
    let (record, _) = record.split_once("```").unwrap();
    let (head, strings) = record.split_once("(\n").unwrap();
    assert!(head.starts_with("_grpc_config.") && head.contains(" TXT "));
    let strings = strings.lines().map(str::trim).filter(|line| *line != ")");
    strings
        .map(|quoted| {
            let text = quoted.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            let text = text.replace("\\\"", "\"");
            assert!(
                (1..=255).contains(&text.len()),
                "a string of a TXT record: {text}"
            );
            text
        })
        .collect()
}

#[test]
fn the_dns_record_matches_the_file() {
    let record = txt();
    let published = record.strip_prefix("grpc_config=").expect("gRFC A2's prefix");
    let published: Value = serde_json::from_str(published).unwrap();
    assert_eq!(published, json!([{ "serviceConfig": config() }]));
}

#[test]
fn the_file_names_exactly_the_methods_of_the_service() {
    let descriptors = prost_types::FileDescriptorSet::decode(tapegate::grpc::codec::DESCRIPTORS).unwrap();
    let services = descriptors.file.iter().flat_map(|file| {
        let package = file.package().to_owned();
        file.service.iter().map(move |service| (package.clone(), service))
    });
    let methods: BTreeSet<_> = services
        .flat_map(|(package, service)| {
            let name = format!("{package}.{}", service.name());
            service
                .method
                .iter()
                .map(move |method| (name.clone(), method.name().to_owned()))
        })
        .collect();
    let config = config();
    let named: Vec<_> = config["methodConfig"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|config| config["name"].as_array().unwrap())
        .map(|name| {
            let text = |key: &str| name[key].as_str().unwrap().to_owned();
            (text("service"), text("method"))
        })
        .collect();
    assert_eq!(named.len(), methods.len(), "a name twice makes a config invalid");
    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), methods);
}

/// gRFC A6 has bounds, and clients refuse the whole config, or cut it, beyond them.
#[test]
fn the_file_keeps_the_limits_of_client_libraries() {
    let seconds = |value: &Value| -> f64 {
        let text = value.as_str().unwrap();
        text.strip_suffix('s').unwrap().parse().unwrap()
    };
    let config = config();
    for method in config["methodConfig"].as_array().unwrap() {
        let policy = &method["retryPolicy"];
        assert!((2..=5).contains(&policy["maxAttempts"].as_u64().unwrap()));
        assert!(seconds(&policy["initialBackoff"]) > 0.0 && seconds(&policy["maxBackoff"]) > 0.0);
        assert!(policy["backoffMultiplier"].as_f64().unwrap() > 0.0);
        assert_eq!(policy["retryableStatusCodes"], json!(["UNAVAILABLE"]));
        assert!(method.get("hedgingPolicy").is_none());
        // Calls wait for a replica, so the timeout is what an outage costs a caller: for a create as long as the
        // service's own deadline, for a list shorter than that of a list that goes on for very long.
        assert_eq!(method["waitForReady"], true);
        let is_create = method["name"][0]["method"]
            .as_str()
            .unwrap()
            .starts_with("Create");
        let setting = if is_create {
            "deadline.unary"
        } else {
            "deadline.stream"
        };
        let default = SETTINGS.iter().find(|s| s.key() == setting).unwrap().default();
        let default: Duration = humantime::parse_duration(default.unwrap()).unwrap();
        let expected = match is_create {
            true => default,
            false => Duration::from_secs(300),
        };
        assert!(expected <= default);
        assert_eq!(seconds(&method["timeout"]), expected.as_secs_f64());
    }
    let throttling = &config["retryThrottling"];
    assert!((1.0..=1000.0).contains(&throttling["maxTokens"].as_f64().unwrap()));
    assert!(throttling["tokenRatio"].as_f64().unwrap() > 0.0);
}

//! Several accounts in one emulator, each in its partition.

use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_storagegateway::Client;
use serde_json::{Value, json};
use tapegate_emulator::{Account, Credentials, Emulator, Settings};

use super::{GATEWAY, KEY_ID, Running, SECRET, SIZE, assert_rejected, codes, settings};

pub(crate) const OTHER: &str = "210987654321";
pub(crate) const CHINA: &str = "333333333333";
const OTHER_KEY: &str = "AKIDOTHER";
const CHINA_KEY: &str = "AKIDCHINA";

/// The account of the other tests, one in the same partition, and one in China.
pub(crate) fn three() -> Settings {
    let of = |access_key_id: &str, account: &str| Credentials {
        access_key_id: access_key_id.to_owned(),
        secret_access_key: SECRET.to_owned().into(),
        session_token: None,
        account_id: Some(account.to_owned()),
    };
    let mut settings = settings();
    settings.seed_tapes = 20;
    settings.time_scale = 0;
    settings.credentials.push(of(OTHER_KEY, OTHER));
    settings.credentials.push(of(CHINA_KEY, CHINA));
    settings.accounts = vec![
        Account {
            seed_tapes: Some(3),
            ..Account::new(OTHER)
        },
        Account {
            region: "cn-north-1".to_owned(),
            ..Account::new(CHINA)
        },
    ];
    settings
}

fn client(emulator: &Running, region: &'static str, key_id: &str) -> Client {
    emulator.client_in(region, SdkCredentials::from_keys(key_id, SECRET, None))
}

/// The ARNs that ListTapes has.
async fn listed(client: &Client) -> Vec<String> {
    let page = client.list_tapes().limit(1_000).send().await.unwrap();
    let rows = page.tape_infos().iter();
    rows.map(|row| row.tape_arn().unwrap().to_owned()).collect()
}

fn of_account(arn: &str, account: &str) -> String {
    arn.replace("123456789012", account)
}

#[tokio::test]
async fn each_account_is_seeded_and_sees_only_its_own() {
    let emulator = Running::start(three()).await;
    let first = client(&emulator, "us-east-1", KEY_ID);
    let other = client(&emulator, "us-east-1", OTHER_KEY);
    let china = client(&emulator, "cn-north-1", CHINA_KEY);
    for (client, prefix, tapes) in [
        (&first, "arn:aws:storagegateway:us-east-1:123456789012:tape/", 20),
        (&other, "arn:aws:storagegateway:us-east-1:210987654321:tape/", 3),
        (
            &china,
            "arn:aws-cn:storagegateway:cn-north-1:333333333333:tape/",
            20,
        ),
    ] {
        let arns = listed(client).await;
        assert_eq!(arns.len(), tapes);
        assert!(arns.iter().all(|arn| arn.starts_with(prefix)), "{arns:?}");
        let gateways = client.list_gateways().send().await.unwrap();
        assert_eq!(gateways.gateways().len(), 1);
    }
    assert_eq!(listed(&client(&emulator, "eu-west-1", OTHER_KEY)).await, [""; 0]);
}

#[tokio::test]
async fn arns_of_another_account_are_not_found() {
    let emulator = Running::start(three()).await;
    let other = client(&emulator, "us-east-1", OTHER_KEY);
    let described = other.describe_tapes().gateway_arn(GATEWAY).send().await;
    assert_rejected(described, "GatewayNotFound");
    let tape = "arn:aws:storagegateway:us-east-1:123456789012:tape/TST000001";
    let deleted = other.delete_tape().gateway_arn(of_account(GATEWAY, OTHER));
    assert_rejected(deleted.tape_arn(tape).send().await, "TapeCartridgeNotFound");
    let page = other.list_tapes().tape_arns(tape).send().await.unwrap();
    assert!(page.tape_infos().is_empty());
    let tags = other.list_tags_for_resource().resource_arn(GATEWAY).send().await;
    assert_rejected(tags, "GatewayNotFound");
    // The right account, and the wrong partition.
    let gateway = of_account(GATEWAY, OTHER).replace("arn:aws:", "arn:aws-cn:");
    let described = other.describe_tapes().gateway_arn(gateway).send().await;
    assert_rejected(described, "GatewayNotFound");
}

#[tokio::test]
async fn tokens_barcodes_pools_and_markers_are_of_one_account() {
    let mut settings = three();
    settings.undocumented.barcode_scope = tapegate_emulator::BarcodeScope::Account;
    settings.undocumented.token_scope = tapegate_emulator::TokenScope::Account;
    let emulator = Running::start(settings).await;
    let mut arns = Vec::new();
    for (key_id, account) in [(KEY_ID, "123456789012"), (OTHER_KEY, OTHER)] {
        let client = client(&emulator, "us-east-1", key_id);
        let gateway = of_account(GATEWAY, account);
        let create = client
            .create_tapes()
            .gateway_arn(&gateway)
            .client_token("one-token");
        let create = create.num_tapes_to_create(1).tape_size_in_bytes(SIZE);
        let created = create.tape_barcode_prefix("SAME").send().await.unwrap();
        arns.extend(created.tape_arns().to_vec());
        let create = client.create_tape_with_barcode().gateway_arn(gateway);
        let create = create.tape_barcode("EQUAL1").tape_size_in_bytes(SIZE);
        let created = create.send().await.unwrap();
        assert_eq!(
            created.tape_arn(),
            Some(format!("arn:aws:storagegateway:us-east-1:{account}:tape/EQUAL1").as_str())
        );
    }
    assert_eq!(arns[1], of_account(&arns[0], OTHER));

    let page = client(&emulator, "us-east-1", KEY_ID).list_tapes().limit(1);
    let marker = page.send().await.unwrap().marker().unwrap().to_owned();
    let elsewhere = client(&emulator, "us-east-1", OTHER_KEY);
    let elsewhere = elsewhere.list_tapes().limit(1).marker(marker).send().await;
    assert_rejected(elsewhere, "InvalidParameters");
}

#[tokio::test]
async fn credentials_are_valid_in_the_partition_of_their_account() {
    let emulator = Running::start(three()).await;
    for (region, key_id) in [("us-east-1", CHINA_KEY), ("cn-north-1", OTHER_KEY)] {
        let refused = client(&emulator, region, key_id).list_tapes().send().await;
        assert_eq!(codes(&refused.unwrap_err()).0, "UnrecognizedClientException");
    }
    // The account of the settings has no region of its own, and is in every partition.
    assert_eq!(listed(&client(&emulator, "us-gov-west-1", KEY_ID)).await, [""; 0]);
}

#[tokio::test]
async fn an_account_that_only_credentials_name_is_in_one_partition() {
    let mut settings = three();
    settings.accounts.clear();
    let emulator = Running::start(settings).await;
    assert_eq!(listed(&client(&emulator, "us-east-1", OTHER_KEY)).await.len(), 20);
    let refused = client(&emulator, "cn-north-1", OTHER_KEY)
        .list_tapes()
        .send()
        .await;
    assert_eq!(codes(&refused.unwrap_err()).0, "UnrecognizedClientException");
}

#[tokio::test]
async fn the_control_api_makes_gateways_of_each_account() {
    let emulator = Running::start(three()).await;
    let body = json!({ "account": OTHER }).to_string();
    let path = "/_emulator/gateways/us-east-1/sgw-0F0F0F0F";
    let made = emulator.control("PUT", path, body).send().await.json();
    assert_eq!(
        made["arn"],
        "arn:aws:storagegateway:us-east-1:210987654321:gateway/sgw-0F0F0F0F"
    );
    let shown = |client: Client| async move {
        let gateways = client.list_gateways().send().await.unwrap();
        gateways.gateways().len()
    };
    assert_eq!(shown(client(&emulator, "us-east-1", OTHER_KEY)).await, 2);
    assert_eq!(shown(client(&emulator, "us-east-1", KEY_ID)).await, 1);

    let body = json!({ "account": "999999999999" }).to_string();
    let refused = emulator.control("PUT", path, body).send().await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["errors"],
        json!(["account: \"999999999999\" is wrong; it takes an account of the emulator, as 12 digits"])
    );
    let tape = "arn:aws-cn:storagegateway:cn-north-1:333333333333:tape/TST000001";
    let loaded = emulator.emulator.load(tape).unwrap();
    assert!(loaded.device.unwrap().contains(":333333333333:"));
}

/// The snapshot as JSON, at the time 0: a restart begins at the machine's time.
fn state(emulator: &Emulator) -> Value {
    let mut state: Value = serde_json::from_slice(&emulator.snapshot()).unwrap();
    state["clock"] = 0.into();
    state
}

#[tokio::test]
async fn the_state_of_all_accounts_is_kept_in_the_file_and_in_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    // A file of one account, as an earlier version made it.
    let one = Settings {
        accounts: Vec::new(),
        credentials: Vec::new(),
        ..three()
    };
    let emulator = Emulator::with_state(one.clone(), &file).unwrap();
    let before = state(&emulator);
    emulator.close();
    assert_eq!(before.get("accounts"), None);

    let emulator = Emulator::with_state(three(), &file).unwrap();
    assert_eq!(state(&emulator), before);
    emulator.reset();
    let after = state(&emulator);
    assert_eq!(
        after["accounts"][OTHER]["us-east-1"]["tapes"]
            .as_object()
            .unwrap()
            .len(),
        3
    );
    emulator.close();
    let emulator = Emulator::with_state(three(), &file).unwrap();
    assert_eq!(state(&emulator), after);

    let fresh = Emulator::new(three());
    fresh.restore(after.to_string().as_bytes()).unwrap();
    assert_eq!(state(&fresh), after);
    fresh.restore(before.to_string().as_bytes()).unwrap();
    assert_eq!(state(&fresh), before);
}

#[tokio::test]
async fn every_problem_of_a_further_account_in_a_snapshot_is_reported() {
    let emulator = Emulator::new(three());
    let before = state(&emulator);
    let mut wrong = before.clone();
    wrong["accounts"][OTHER]["us-east-1"]["tapes"]["TST000001"]["pool"] = json!("nowhere");
    let region = wrong["accounts"][CHINA]["cn-north-1"].take();
    wrong["accounts"] = json!({
        OTHER: wrong["accounts"][OTHER],
        CHINA: { "cn-north-2": region, "cn-north-1": 5 },
        "7": {},
    });
    let problems = emulator.restore(wrong.to_string().as_bytes()).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for part in [
        "accounts.210987654321.us-east-1.tapes.TST000001.pool: nowhere is wrong",
        "accounts.333333333333.cn-north-2.gateways.arn:aws-cn:storagegateway:cn-north-1:333333333333",
        "accounts.333333333333.cn-north-1: 5 is wrong",
        "accounts.7: is not an account",
    ] {
        assert!(
            problems.iter().any(|line| line.contains(part)),
            "{part}: {problems:#?}"
        );
    }
    assert_eq!(state(&emulator), before);
}

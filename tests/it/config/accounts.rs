//! `[[account]]` and `[[endpoint]]`.

use super::*;

const TWO: &str = r#"
account_id = "123456789012"

[[account]]
id = "123456789012"
alias = "main"
role = "arn:aws:iam::123456789012:role/tapegate"
regions = ["us-east-1", "eu-west-1"]

[[account]]
id = "333333333333"
role = "arn:aws-cn:iam::333333333333:role/backup/tapegate"
external_id = "site-7"
profile = "china"
regions = ["cn-north-1"]
session_per_caller = true

[[endpoint]]
region = "eu-west-1"
url = "https://vpce-1.storagegateway.eu-west-1.vpce.amazonaws.com"

[[endpoint]]
region = "eu-west-1"
account_id = "123456789012"
sts_url = "https://vpce-2.sts.eu-west-1.vpce.amazonaws.com"
use_fips = true
"#;

#[test]
fn accounts_have_roles_regions_and_endpoints() {
    let config = Call::serve().file(TWO).config();
    let regions: Vec<_> = config.rules.regions.iter().map(ToString::to_string).collect();
    assert_eq!(regions, ["cn-north-1", "eu-west-1", "us-east-1"]);
    let scopes: Vec<_> = config.rules.scopes().iter().map(ToString::to_string).collect();
    assert_eq!(
        scopes,
        [
            "123456789012/eu-west-1",
            "123456789012/us-east-1",
            "333333333333/cn-north-1"
        ]
    );
    let [main, china] = &config.sdk.accounts[..] else {
        panic!("{:?}", config.sdk.accounts);
    };
    assert_eq!([main.label(), china.label()], ["main", "333333333333"]);
    assert_eq!(main.session_name, "tapegate");
    assert_eq!(china.external_id.as_deref(), Some("site-7"));
    assert!(config.upstream.by_account);
    assert_eq!(*config.upstream.per_caller, [china.id.clone()].into());
    assert_eq!(config.sdk.endpoints.len(), 2);
}

#[test]
fn an_account_without_regions_has_those_of_its_partition() {
    let file = r#"
regions = ["us-east-1", "eu-west-1", "cn-north-1"]

[[account]]
id = "333333333333"
role = "arn:aws-cn:iam::333333333333:role/tapegate"
profile = "china"

[[account]]
id = "123456789012"
role = "arn:aws:iam::123456789012:role/tapegate"
"#;
    let rules = Call::serve().file(file).config().rules;
    let scopes: Vec<_> = rules.scopes().iter().map(ToString::to_string).collect();
    assert_eq!(
        scopes,
        [
            "123456789012/eu-west-1",
            "123456789012/us-east-1",
            "333333333333/cn-north-1"
        ]
    );
    // With several accounts, a call that names none needs a default.
    assert_eq!(rules.account_id, None);
}

#[test]
fn the_only_account_is_the_default() {
    let file = "[[account]]\nid = '123456789012'\nrole = 'arn:aws:iam::123456789012:role/tapegate'";
    let rules = Call::serve().file(file).config().rules;
    assert_eq!(rules.account_id.unwrap().as_str(), "123456789012");
}

#[test]
fn accounts_that_cannot_be_served_are_rejected() {
    let file = r#"
account_id = "444444444444"
accounts = ["123456789012"]
regions = ["us-east-1", "cn-north-1"]

[[account]]
id = "123456789012"

[[account]]
id = "210987654321"
alias = "twice"
role = "arn:aws:iam::999999999999:role/tapegate"
partition = "aws-cn"

[[account]]
id = "333333333333"
alias = "twice"
role = "arn:aws:iam::333333333333:role/tapegate"
regions = ["cn-north-1", "eu-west-1"]

[[account]]
id = "333333333333"
role = "arn:aws-us-gov:iam::333333333333:role/tapegate"
session_name = "no spaces"

[[endpoint]]
url = "https://example.com"
"#;
    assert_faults(
        &Call::serve().file(file),
        &[
            (
                "tapegate.toml:2:14: account_id: 444444444444 has no [[account]]",
                "add one with its role",
            ),
            (
                "tapegate.toml:3:12: accounts: is set beside [[account]]",
                "leave it out",
            ),
            (
                "tapegate.toml:6:1: account.role: is not set",
                "ARN of an IAM role",
            ),
            (
                "tapegate.toml:12:8: account.role: arn:aws:iam::999999999999:role/tapegate belongs to account",
                "not to 210987654321",
            ),
            ("tapegate.toml:12:8: account.role:", "is not in partition aws-cn"),
            (
                "tapegate.toml:17:9: account.alias: twice is the name of another account",
                "too",
            ),
            (
                "tapegate.toml:19:11: account.regions: cn-north-1 is in partition aws-cn",
                "the account in aws",
            ),
            (
                "tapegate.toml:19:11: account.regions: eu-west-1 is not in `regions`",
                "add it",
            ),
            (
                "tapegate.toml:21:1: account.profile: is not set, but an account of another partition",
                "",
            ),
            (
                "tapegate.toml:21:1: account.regions: is not set",
                "no region of `regions` is in partition aws-us-gov",
            ),
            (
                "tapegate.toml:22:6: account.id: 333333333333 has an [[account]] already",
                "",
            ),
            (
                "tapegate.toml:24:16: account.session_name: invalid value \"no spaces\"",
                "2 to 64 letters",
            ),
            (
                "tapegate.toml:26:1: endpoint.region: is not set, and neither is account_id",
                "upstream.endpoint",
            ),
        ],
    );
}

#[test]
fn an_account_in_another_partition_needs_a_profile() {
    assert_faults(
        &Call::serve().file(TWO.replace("profile = \"china\"\n", "")),
        &[(
            "tapegate.toml:10:1: account.profile: is not set, but an account of another partition",
            "assume roles in aws-cn",
        )],
    );
    assert_faults(
        &Call::serve().file(TWO.replace("\"main\"", "\"333333333333\"")),
        &[(
            "tapegate.toml:6:9: account.alias: 333333333333 is the ID of another account",
            "",
        )],
    );
}

#[test]
fn an_account_without_a_role_is_refused() {
    assert_faults(
        &Call::serve().file("accounts = ['123456789012', '210987654321', '333333333333']"),
        &[(
            "tapegate.toml:1:12: accounts: names 3 accounts, but the AWS credentials belong to one",
            "give each account an [[account]] with its role",
        )],
    );
    assert_faults(
        &Call::serve().file(format!(
            "region = 'eu-central-1'\n{}",
            TWO.replace("123456789012\"\n\n[[account]]", "444444444444\"\n\n[[account]]")
        )),
        &[(
            "tapegate.toml:3:14: account_id: 444444444444 has no [[account]]",
            "add one with its role",
        )],
    );
}

#[test]
fn names_that_accounts_share_are_told_beside_all_other_faults() {
    let file = r#"
[[account]]
id = "123456789012"
alias = "twice"

[[account]]
id = "210987654321"
alias = "twice"
role = "a role"

[[account]]
id = "123456789012"
alias = "210987654321"
"#;
    assert_faults(
        &Call::serve().file(file),
        &[
            ("tapegate.toml:2:1: account.role: is not set", ""),
            (
                "tapegate.toml:8:9: account.alias: twice is the name of another account too",
                "",
            ),
            ("tapegate.toml:9:8: account.role: invalid value", ""),
            ("tapegate.toml:11:1: account.role: is not set", ""),
            (
                "tapegate.toml:12:6: account.id: 123456789012 has an [[account]] already",
                "",
            ),
            (
                "tapegate.toml:13:9: account.alias: 210987654321 is the ID of another account",
                "",
            ),
        ],
    );
}

/// A fault of a region is not told again as a fault of the accounts.
#[test]
fn faulty_regions_cause_no_further_faults() {
    let account = "\n[[account]]\nid = '123456789012'\nrole = 'arn:aws:iam::123456789012:role/tapegate'\n";
    let base = Call::serve().arg("--account-id=123456789012");
    assert_faults(
        &base.clone().file(format!("regions = ['Mars']{account}")),
        &[("tapegate.toml:1:12: regions: invalid value \"Mars\"", "")],
    );
    assert_faults(
        &base.clone().file(format!(
            "regions = ['us-east-1']{account}regions = ['eu-west-1']\n"
        )),
        &[(
            "tapegate.toml:5:11: account.regions: eu-west-1 is not in `regions`",
            "add it",
        )],
    );
    assert_faults(
        &base.clone().file(format!("{account}regions = ['Mars']\n")),
        &[("tapegate.toml:5:12: account.regions: invalid value \"Mars\"", "")],
    );
    let bare = Call::new("serve").arg("--allow-anonymous").file(account);
    assert_faults(&bare, &[("region: is not set", "")]);
}

#[test]
fn check_prints_the_regions_of_every_account() {
    let file = "[[account]]\nid = '123456789012'\nrole = 'arn:aws:iam::123456789012:role/tapegate'\n";
    let call = Call::new("check")
        .arg("--allow-anonymous")
        .arg("--region=us-east-1")
        .file(file);
    let (config, document) = call.check();
    let (_, of_account) = document.split_once("[[account]]").unwrap();
    assert!(
        of_account.contains("\nregions = [\"us-east-1\"]  # default\n"),
        "{document}"
    );
    let (again, _) = Call::new("check").file(document.clone()).check();
    assert_eq!(config, again, "{document}");
}

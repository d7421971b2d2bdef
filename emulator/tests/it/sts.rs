//! STS on the wire: who the caller is, and sessions of roles.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as SdkCredentials;
use aws_sigv4::http_request::SigningSettings;
use regex::Regex;
use tapegate_emulator::{Credentials, Role, SessionState, Settings};

use super::{
    Answer, KEY_ID, Raw, Running, SECRET,
    accounts::{CHINA, OTHER, three},
    codes,
};

pub(super) const ROLE: &str = "arn:aws:iam::210987654321:role/backup/Tapes";
pub(super) const SESSION: &str = "arn:aws:sts::210987654321:assumed-role/Tapes/tapegate-1";

pub(super) fn keys(key_id: &str) -> SdkCredentials {
    SdkCredentials::from_keys(key_id, SECRET, None)
}

impl Running {
    pub(super) fn form(&self, fields: &[(&str, &str)]) -> Raw {
        let encoded = |text: &str| -> String {
            let bytes = text.bytes().map(|byte| match byte {
                b' ' => "+".to_owned(),
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02x}"),
            });
            bytes.collect()
        };
        let fields = [("Version", "2011-06-15")]
            .into_iter()
            .chain(fields.iter().copied());
        let pairs = fields.map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let mut raw = self.unsigned("none", body);
        raw.headers.truncate(1);
        raw.set("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        raw
    }

    /// The answer of STS in a region to a signed form.
    pub(super) async fn sts(&self, by: SdkCredentials, region: &str, fields: &[(&str, &str)]) -> Answer {
        let mut raw = self.form(fields);
        raw.sign_as(by, SystemTime::now(), SigningSettings::default(), region, "sts");
        raw.send().await
    }

    /// The answer to AssumeRole of [`ROLE`], or with other fields.
    pub(super) async fn assume(&self, by: SdkCredentials, more: &[(&str, &str)]) -> Answer {
        let mut fields = vec![
            ("Action", "AssumeRole"),
            ("RoleArn", ROLE),
            ("RoleSessionName", "tapegate-1"),
        ];
        fields.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        fields.extend(more);
        fields.retain(|(_, value)| *value != "-");
        self.sts(by, "us-east-1", &fields).await
    }
}

impl Answer {
    pub(super) fn xml(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The texts of the elements with a name.
    fn texts(&self, name: &str) -> Vec<String> {
        let element = Regex::new(&format!("<{name}>([^<]*)</{name}>")).unwrap();
        let found = element.captures_iter(self.xml());
        found.map(|found| found[1].to_owned()).collect()
    }

    pub(super) fn text(&self, name: &str) -> String {
        let [text] = &self.texts(name)[..] else {
            panic!("not one {name}: {}", self.xml());
        };
        text.clone()
    }

    /// The credentials that STS issued.
    pub(super) fn credentials(&self) -> SdkCredentials {
        SdkCredentials::from_keys(
            self.text("AccessKeyId"),
            self.text("SecretAccessKey"),
            Some(self.text("SessionToken")),
        )
    }

    pub(super) fn error(&self) -> (u16, String) {
        assert!(self.xml().starts_with(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
        ));
        (self.status, self.text("Code"))
    }
}

#[tokio::test]
async fn the_caller_identity_is_that_of_the_credentials() {
    let emulator = Running::start(three()).await;
    let ask = [("Action", "GetCallerIdentity")];
    for (key_id, region, account, partition) in [
        (KEY_ID, "us-east-1", "123456789012", "aws"),
        ("AKIDOTHER", "eu-west-1", OTHER, "aws"),
        ("AKIDCHINA", "cn-north-1", CHINA, "aws-cn"),
    ] {
        let answer = emulator.sts(keys(key_id), region, &ask).await;
        assert_eq!(answer.status, 200, "{}", answer.xml());
        assert!(answer.head.contains("content-type: text/xml"));
        assert!(answer.head.contains("x-amzn-requestid: "));
        assert!(answer.xml().starts_with(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"
        ));
        assert_eq!(answer.text("Account"), account);
        assert_eq!(
            answer.text("Arn"),
            format!("arn:{partition}:iam::{account}:user/{key_id}")
        );
        assert!(answer.text("UserId").starts_with("AIDA"));
    }
    let refused = emulator.sts(keys("AKIDCHINA"), "us-east-1", &ask).await;
    assert_eq!(refused.error(), (403, "InvalidClientTokenId".to_owned()));
}

#[tokio::test]
async fn without_credentials_any_key_is_of_the_default_account_and_sessions_are_verified() {
    let settings = Settings {
        credentials: Vec::new(),
        ..three()
    };
    let emulator = Running::start(settings).await;
    let ask = [("Action", "GetCallerIdentity")];
    let anyone = emulator.sts(keys("ANYTHING"), "us-east-1", &ask).await;
    assert_eq!(anyone.text("Account"), "123456789012");

    let issued = emulator.assume(keys("ANYTHING"), &[]).await.credentials();
    let tapes = emulator.client_with(issued.clone()).list_tapes().send().await;
    assert_eq!(tapes.unwrap().tape_infos().len(), 3);
    let wrong = SdkCredentials::from_keys(
        issued.access_key_id(),
        SECRET,
        issued.session_token().map(Into::into),
    );
    let refused = emulator.client_with(wrong).list_tapes().send().await;
    assert_eq!(codes(&refused.unwrap_err()).0, "InvalidSignatureException");
    let tokenless = SdkCredentials::from_keys(issued.access_key_id(), issued.secret_access_key(), None);
    let refused = emulator.client_with(tokenless).list_tapes().send().await;
    assert_eq!(codes(&refused.unwrap_err()).0, "UnrecognizedClientException");

    // Another emulator, as after a restart, does not know the session.
    let restarted = Running::start(Settings::default()).await;
    let refused = restarted.client_with(issued).list_tapes().send().await;
    assert_eq!(codes(&refused.unwrap_err()).0, "UnrecognizedClientException");
}

#[tokio::test]
async fn a_session_acts_on_the_account_of_its_role() {
    let emulator = Running::start(three()).await;
    let answer = emulator
        .assume(
            keys(KEY_ID),
            &[
                ("Tags.member.1.Key", "caller"),
                ("Tags.member.1.Value", "night backup"),
                ("TransitiveTagKeys.member.1", "caller"),
                ("SourceIdentity", "tapegate"),
                ("DurationSeconds", "900"),
            ],
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.xml());
    assert_eq!(answer.text("Arn"), SESSION);
    assert!(answer.text("AssumedRoleId").starts_with("AROA"));
    assert!(answer.text("AssumedRoleId").ends_with(":tapegate-1"));
    assert_eq!(answer.text("SourceIdentity"), "tapegate");
    let issued = answer.credentials();
    assert!(issued.access_key_id().starts_with("ASIA"));
    assert_eq!(issued.access_key_id().len(), 20);
    assert_eq!(issued.secret_access_key().len(), 40);

    let client = emulator.client_with(issued.clone());
    let page = client.list_tapes().send().await.unwrap();
    assert_eq!(page.tape_infos().len(), 3);
    assert!(page.tape_infos()[0].tape_arn().unwrap().contains(OTHER));
    let abroad = emulator.client_in("cn-north-1", issued.clone());
    let refused = abroad.list_tapes().send().await.unwrap_err();
    assert_eq!(codes(&refused).0, "UnrecognizedClientException");
    let me = emulator.sts(issued, "eu-west-1", &[("Action", "GetCallerIdentity")]);
    let me = me.await;
    assert_eq!(
        (me.text("Arn"), me.text("Account")),
        (SESSION.to_owned(), OTHER.to_owned())
    );
    assert_eq!(me.text("UserId"), answer.text("AssumedRoleId"));

    let [(session, SessionState::Active)] = &emulator.emulator.sessions()[..] else {
        panic!("one session is active");
    };
    assert_eq!(session.role_arn, ROLE);
    assert_eq!(session.session_name, "tapegate-1");
    assert_eq!(session.tags["caller"], "night backup");
    assert_eq!(session.source_identity.as_deref(), Some("tapegate"));
    assert_eq!(session.assumed_by, "arn:aws:iam::123456789012:user/AKIDEXAMPLE");
    let left = session.expires.duration_since(SystemTime::now()).unwrap();
    assert!(left <= Duration::from_secs(900) && left > Duration::from_secs(800));

    let calls = emulator.emulator.calls();
    let calls: Vec<_> = calls
        .iter()
        .map(|call| {
            (
                call.service,
                call.operation,
                call.region.as_str(),
                call.arn.as_str(),
            )
        })
        .collect();
    assert_eq!(
        calls,
        [
            (
                "sts",
                "AssumeRole",
                "us-east-1",
                "arn:aws:iam::123456789012:user/AKIDEXAMPLE"
            ),
            ("storagegateway", "ListTapes", "us-east-1", SESSION),
            ("sts", "GetCallerIdentity", "eu-west-1", SESSION),
        ]
    );
}

/// One role with an external id that one account can assume, and one that is refused.
fn with_roles() -> Settings {
    let mut settings = three();
    settings.roles = vec![
        Role {
            external_id: Some("vault-7".to_owned()),
            trusted_accounts: Some(vec!["123456789012".to_owned()]),
            ..Role::new(ROLE)
        },
        Role {
            refused: true,
            ..Role::new("arn:aws:iam::210987654321:role/Refused")
        },
    ];
    settings
}

#[tokio::test]
async fn a_role_is_assumed_only_by_those_whom_it_trusts() {
    let emulator = Running::start(with_roles()).await;
    let good = [("ExternalId", "vault-7")];
    assert_eq!(emulator.assume(keys(KEY_ID), &good).await.status, 200);
    for (key_id, fields) in [
        (KEY_ID, vec![]),
        (KEY_ID, vec![("ExternalId", "vault-8")]),
        ("AKIDOTHER", vec![("ExternalId", "vault-7")]),
        (
            KEY_ID,
            vec![("RoleArn", "arn:aws:iam::210987654321:role/Refused")],
        ),
        (
            KEY_ID,
            vec![("RoleArn", "arn:aws:iam::210987654321:role/Unknown")],
        ),
        (KEY_ID, vec![("RoleArn", "arn:aws:iam::999999999999:role/Tapes")]),
        (
            KEY_ID,
            vec![("RoleArn", "arn:aws-cn:iam::333333333333:role/Tapes")],
        ),
        (KEY_ID, vec![("RoleArn", "arn:aws:iam::333333333333:role/Tapes")]),
    ] {
        let answer = emulator.assume(keys(key_id), &fields).await;
        assert_eq!(answer.error(), (403, "AccessDenied".to_owned()), "{fields:?}");
        let role = fields.iter().find(|(name, _)| *name == "RoleArn");
        let role = role.map_or(ROLE, |(_, arn)| arn);
        let account = if key_id == KEY_ID { "123456789012" } else { OTHER };
        assert_eq!(
            answer.text("Message"),
            format!(
                "User: arn:aws:iam::{account}:user/{key_id} is not authorized to perform: sts:AssumeRole on \
                 resource: {role}"
            )
        );
    }
    // The account in China has no configured role, so that every one can be assumed there.
    let role = format!("arn:aws-cn:iam::{CHINA}:role/Any");
    let fields = [
        ("Action", "AssumeRole"),
        ("RoleArn", role.as_str()),
        ("RoleSessionName", "it"),
    ];
    let answer = emulator.sts(keys("AKIDCHINA"), "cn-northwest-1", &fields).await;
    assert_eq!(
        answer.text("Arn"),
        "arn:aws-cn:sts::333333333333:assumed-role/Any/it"
    );
}

#[tokio::test]
async fn a_role_can_be_refused_and_its_sessions_expired_or_revoked() {
    let emulator = Running::start(three()).await;
    let issued = emulator.assume(keys(KEY_ID), &[]).await.credentials();
    let client = emulator.client_with(issued.clone());
    emulator.emulator.refuse_role(ROLE);
    let refused = emulator.assume(keys(KEY_ID), &[]).await;
    assert_eq!(refused.error(), (403, "AccessDenied".to_owned()));
    client.list_tapes().send().await.unwrap();
    emulator.emulator.allow_role(ROLE);
    assert_eq!(emulator.assume(keys(KEY_ID), &[]).await.status, 200);

    assert_eq!(emulator.emulator.revoke_sessions(ROLE), 2);
    let refused = client.list_tapes().send().await.unwrap_err();
    assert_eq!(codes(&refused).0, "AccessDeniedException");
    let chained = emulator.assume(issued.clone(), &[]).await;
    assert_eq!(chained.error(), (403, "AccessDenied".to_owned()));

    assert_eq!(emulator.emulator.expire_sessions(ROLE), 2);
    let refused = client.list_tapes().send().await.unwrap_err();
    assert_eq!(codes(&refused).0, "ExpiredTokenException");
    let me = emulator.sts(issued, "us-east-1", &[("Action", "GetCallerIdentity")]);
    assert_eq!(me.await.error(), (403, "ExpiredToken".to_owned()));
    let last = emulator.emulator.calls().pop().unwrap();
    assert_eq!(
        (last.role_arn.as_deref(), last.outcome.as_str()),
        (Some(ROLE), "ExpiredToken")
    );

    let again = emulator.assume(keys(KEY_ID), &[]).await.credentials();
    emulator.client_with(again).list_tapes().send().await.unwrap();
}

#[tokio::test]
async fn sessions_expire_by_the_machines_clock() {
    let emulator = Running::start(three()).await;
    // The clock of this call is a day behind, so the session ended 23 hours ago.
    let rule = r#"{"kind": "clock-skew", "seconds": -86400, "operations": ["AssumeRole"]}"#;
    let added = emulator.control("POST", "/_emulator/faults", rule).send().await;
    assert_eq!(added.status, 200, "{}", added.json());
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    let mut raw = emulator.form(&[
        ("Action", "AssumeRole"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "it"),
    ]);
    raw.sign_as(
        keys(KEY_ID),
        yesterday,
        SigningSettings::default(),
        "us-east-1",
        "sts",
    );
    let issued = raw.send().await.credentials();
    let refused = emulator.client_with(issued).list_tapes().send().await;
    assert_eq!(codes(&refused.unwrap_err()).0, "ExpiredTokenException");
    assert_eq!(emulator.emulator.sessions()[0].1, SessionState::Expired);
}

#[tokio::test]
async fn a_chained_session_inherits_transitive_tags_and_its_source() {
    let emulator = Running::start(three()).await;
    let first = emulator
        .assume(
            keys(KEY_ID),
            &[
                ("Tags.member.1.Key", "site"),
                ("Tags.member.1.Value", "north"),
                ("Tags.member.2.Key", "shift"),
                ("Tags.member.2.Value", "night"),
                ("TransitiveTagKeys.member.1", "site"),
                ("SourceIdentity", "tapegate"),
            ],
        )
        .await
        .credentials();
    let second = "arn:aws:iam::123456789012:role/Second";
    let answer = emulator.assume(first.clone(), &[("RoleArn", second)]).await;
    assert_eq!(answer.status, 200, "{}", answer.xml());
    let (session, _) = emulator.emulator.sessions().pop().unwrap();
    assert_eq!(session.tags, [("site".to_owned(), "north".to_owned())].into());
    assert_eq!(session.source_identity.as_deref(), Some("tapegate"));
    assert_eq!(session.assumed_by, SESSION);

    for (more, code) in [
        (vec![("DurationSeconds", "3601")], "ValidationError"),
        (
            vec![("Tags.member.1.Key", "Site"), ("Tags.member.1.Value", "south")],
            "ValidationError",
        ),
        (vec![("SourceIdentity", "another")], "AccessDenied"),
    ] {
        let fields = [vec![("RoleArn", second)], more].concat();
        let answer = emulator.assume(first.clone(), &fields).await;
        assert_eq!(answer.error().1, code, "{}", answer.xml());
    }
}

#[tokio::test]
async fn every_constraint_of_a_member_is_checked() {
    let emulator = Running::start(with_roles()).await;
    let long = "a".repeat(65);
    let longer = "a".repeat(1225);
    for (name, value, part) in [
        (
            "RoleArn",
            "-",
            "Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
        ),
        (
            "RoleArn",
            "arn:aws:iam::1:x",
            "Member must have length greater than or equal to 20",
        ),
        (
            "RoleArn",
            "arn:aws:iam::210987654321:user/Tapes",
            "arn:aws:iam::210987654321:user/Tapes is invalid",
        ),
        ("RoleSessionName", "-", "Value null at 'roleSessionName'"),
        (
            "RoleSessionName",
            "a",
            "Member must have length greater than or equal to 2",
        ),
        (
            "RoleSessionName",
            &long,
            "Member must have length less than or equal to 64",
        ),
        (
            "RoleSessionName",
            "two words",
            "Member must satisfy regular expression pattern",
        ),
        (
            "ExternalId",
            "a",
            "Member must have length greater than or equal to 2",
        ),
        (
            "ExternalId",
            &longer,
            "Member must have length less than or equal to 1224",
        ),
        (
            "ExternalId",
            "two words",
            "Member must satisfy regular expression pattern",
        ),
        (
            "DurationSeconds",
            "899",
            "Member must have value greater than or equal to 900",
        ),
        (
            "DurationSeconds",
            "43201",
            "Member must have value less than or equal to 43200",
        ),
        (
            "SourceIdentity",
            "two words",
            "Member must satisfy regular expression pattern",
        ),
        ("Tags.member.1.Value", "x", "Value null at 'tags.1.member.key'"),
        (
            "Tags.member.1.Key",
            "aws:x",
            "Value null at 'tags.1.member.value'",
        ),
        (
            "TransitiveTagKeys.member.1",
            "site",
            "must be included in the requested tags",
        ),
    ] {
        let answer = emulator.assume(keys(KEY_ID), &[(name, value)]).await;
        assert_eq!(
            answer.error(),
            (400, "ValidationError".to_owned()),
            "{name} {value}"
        );
        let message = answer.text("Message");
        assert!(message.contains(part), "{name} {value}: {message}");
    }
    let asked = [("ExternalId", "vault-7"), ("DurationSeconds", "3601")];
    let answer = emulator.assume(keys(KEY_ID), &asked).await;
    assert_eq!(
        answer.text("Message"),
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    );
    let answer = emulator
        .assume(keys(KEY_ID), &[("DurationSeconds", "an hour")])
        .await;
    assert_eq!(answer.error(), (400, "MalformedInput".to_owned()));
    for policy in ["{", "[]", "{}"] {
        let answer = emulator.assume(keys(KEY_ID), &[("Policy", policy)]).await;
        assert_eq!(answer.error(), (400, "MalformedPolicyDocument".to_owned()));
    }
    let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
    let asked = [("ExternalId", "vault-7"), ("Policy", policy)];
    assert_eq!(emulator.assume(keys(KEY_ID), &asked).await.status, 200);
}

#[tokio::test]
async fn session_tags_are_limited() {
    let emulator = Running::start(three()).await;
    let tags = |keys: &[&str]| {
        let fields = keys.iter().zip(1..).flat_map(|(key, n)| {
            [
                (format!("Tags.member.{n}.Key"), (*key).to_owned()),
                (format!("Tags.member.{n}.Value"), String::new()),
            ]
        });
        fields.collect::<Vec<(String, String)>>()
    };
    let many: Vec<String> = (0..51).map(|n| format!("key-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (names, part) in [
        (many.as_slice(), Some("at most 50 tags")),
        (&many[..50], None),
        (&["site", "SITE"], Some("Duplicate tag keys found")),
        (&["aws:site"], Some("cannot begin with aws:")),
    ] {
        let fields = tags(names);
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = emulator.assume(keys(KEY_ID), &fields).await;
        match part {
            None => assert_eq!(answer.status, 200, "{}", answer.xml()),
            Some(part) => assert!(answer.text("Message").contains(part), "{}", answer.xml()),
        }
    }
    assert_eq!(emulator.emulator.sessions()[0].0.tags.len(), 50);
}

#[tokio::test]
async fn a_request_that_sts_cannot_accept_gets_its_error() {
    let emulator = Running::start(three()).await;
    let ask = [("Action", "GetCallerIdentity")];
    let unsigned = emulator.form(&ask).send().await;
    assert_eq!(unsigned.error(), (403, "MissingAuthenticationToken".to_owned()));
    let unknown = emulator.sts(keys("AKIDNOBODY"), "us-east-1", &ask).await;
    assert_eq!(unknown.error(), (403, "InvalidClientTokenId".to_owned()));
    let mut raw = emulator.form(&ask);
    raw.sign(KEY_ID, SECRET, SystemTime::now());
    let scope = raw.send().await;
    assert_eq!(scope.error(), (403, "SignatureDoesNotMatch".to_owned()));
    assert!(scope.text("Message").contains("correct service: 'sts'"));
    let mut raw = emulator.form(&ask);
    raw.set("authorization", "AWS4-HMAC-SHA256 nothing");
    assert_eq!(raw.send().await.error(), (403, "IncompleteSignature".to_owned()));

    let none = emulator.sts(keys(KEY_ID), "us-east-1", &[]).await;
    assert_eq!(none.error(), (400, "MissingAction".to_owned()));
    let other = emulator
        .sts(keys(KEY_ID), "us-east-1", &[("Action", "AssumeRoot")])
        .await;
    assert_eq!(other.error(), (400, "InvalidAction".to_owned()));
    let twice = [("Action", "GetCallerIdentity"), ("Action", "GetCallerIdentity")];
    let twice = emulator.sts(keys(KEY_ID), "us-east-1", &twice).await;
    assert_eq!(twice.error(), (400, "MalformedQueryString".to_owned()));
    let mixed = [
        ("Action", "AssumeRole"),
        ("Tags", "x"),
        ("Tags.member.1.Key", "y"),
    ];
    let mixed = emulator.sts(keys(KEY_ID), "us-east-1", &mixed).await;
    assert_eq!(mixed.error(), (400, "MalformedQueryString".to_owned()));
}

#[tokio::test]
async fn credentials_of_a_file_that_have_a_session_token_need_it() {
    let mut settings = three();
    settings.credentials.push(Credentials {
        access_key_id: "ASIATEMPORARY".to_owned(),
        secret_access_key: SECRET.to_owned().into(),
        session_token: Some("token".to_owned().into()),
        account_id: Some(OTHER.to_owned()),
    });
    let emulator = Running::start(settings).await;
    let ask = [("Action", "GetCallerIdentity")];
    let with = SdkCredentials::from_keys("ASIATEMPORARY", SECRET, Some("token".to_owned()));
    assert_eq!(emulator.sts(with, "us-east-1", &ask).await.text("Account"), OTHER);
    let refused = emulator.sts(keys("ASIATEMPORARY"), "us-east-1", &ask).await;
    assert_eq!(refused.error(), (403, "InvalidClientTokenId".to_owned()));
}

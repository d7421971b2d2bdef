use std::time::{Duration, SystemTime};

use aws_sigv4::{
    http_request::{PayloadChecksumKind, SigningSettings},
    sign::v4::{calculate_signature, generate_signing_key},
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tapegate_emulator::{Credentials, Settings};

use super::{KEY_ID, Raw, Running, SECRET, SdkCredentials, codes, settings};

const MINUTE: Duration = Duration::from_secs(60);

async fn start() -> Running {
    Running::start(settings()).await
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Signs by hand, over exactly the headers named, with `date` as the day of the scope.
fn sign_over(request: &mut Raw, names: &[&str], long_date: &str, payload: &str) {
    let scope = format!("{}/us-east-1/storagegateway/aws4_request", &long_date[..8]);
    let mut names = names.to_vec();
    names.sort_unstable();
    let headers: String = names
        .iter()
        .map(|name| format!("{name}:{}\n", request.get(name)))
        .collect();
    let signed = names.join(";");
    let canonical = format!("POST\n/\n\n{headers}\n{signed}\n{payload}");
    let text = format!("AWS4-HMAC-SHA256\n{long_date}\n{scope}\n{}", hex(canonical));
    let key = generate_signing_key(SECRET, SystemTime::now(), "us-east-1", "storagegateway");
    let signature = calculate_signature(key, text.as_bytes());
    let header =
        format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope},SignedHeaders={signed},Signature={signature}");
    request.set("authorization", &header);
}

fn long_date(date: jiff::Timestamp) -> String {
    date.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key_id_are_rejected() {
    let emulator = start().await;
    let wrong = emulator
        .client_of("us-east-1", KEY_ID, "not the secret")
        .list_tapes()
        .send()
        .await;
    assert_eq!(codes(&wrong.unwrap_err()).0, "InvalidSignatureException");
    let unknown = emulator
        .client_of("us-east-1", "AKIDOTHER", SECRET)
        .list_tapes()
        .send()
        .await;
    assert_eq!(codes(&unknown.unwrap_err()).0, "UnrecognizedClientException");
}

#[tokio::test]
async fn a_request_altered_after_signing_is_rejected() {
    let emulator = start().await;
    assert_eq!(
        emulator
            .request("ListTapes", r#"{"Limit":1}"#)
            .send()
            .await
            .status,
        200
    );

    let mut body = emulator.request("ListTapes", r#"{"Limit":1}"#);
    body.body = br#"{"Limit":2}"#.to_vec();
    let mut target = emulator.request("ListTapes", "{}");
    target.set("x-amz-target", "StorageGateway_20130630.DescribeTapeArchives");
    let mut host = emulator.request("ListTapes", "{}");
    host.set("host", "storagegateway.us-east-1.amazonaws.com");
    let query = Raw {
        path: "/?a=b",
        ..emulator.request("ListTapes", "{}")
    };
    let mut date = emulator.request("ListTapes", "{}");
    date.set("x-amz-date", &long_date(jiff::Timestamp::now() - MINUTE));
    for altered in [body, target, host, query, date] {
        let answer = altered.send().await;
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (400, "InvalidSignatureException")
        );
        assert!(
            answer
                .message()
                .starts_with("The request signature we calculated"),
            "{}",
            answer.message()
        );
    }
    // A header that was signed and is gone; the signature names it still.
    let mut absent = emulator.unsigned("ListTapes", "{}");
    absent.set("x-odd", "a");
    absent.sign(KEY_ID, SECRET, SystemTime::now());
    assert!(absent.get("authorization").contains("x-odd"));
    assert_eq!(
        absent.without("x-odd").send().await.kind(),
        "InvalidSignatureException"
    );
}

#[tokio::test]
async fn unsigned_headers_may_differ() {
    let emulator = start().await;
    let mut request = emulator.request("ListTapes", "{}");
    request.set("user-agent", "whatever/1.0");
    request.set("amz-sdk-request", "attempt=2; max=3");
    assert_eq!(request.send().await.status, 200);
}

#[tokio::test]
async fn any_set_of_signed_headers_is_verified() {
    let emulator = start().await;
    let now = long_date(jiff::Timestamp::now());
    let all = [
        "host",
        "content-type",
        "x-amz-target",
        "x-amz-date",
        "x-odd",
        "content-length",
    ];
    for names in [&all[..1], &["host", "x-amz-date"], &all[..4], &all] {
        let mut request = emulator.unsigned("ListTapes", "{}");
        request.set("x-amz-date", &now);
        request.set("x-odd", "a b");
        request.set("content-length", "2");
        sign_over(&mut request, names, &now, &hex("{}"));
        request = request.without("content-length"); // sent by the harness
        request.set("x-odd", "   a    b  "); // the canonical form is the same
        let answer = request.send().await;
        assert_eq!(
            answer.status,
            200,
            "{names:?}: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }
    let mut request = emulator.unsigned("ListTapes", "{}");
    request.set("x-amz-date", &now);
    sign_over(&mut request, &["x-amz-date", "x-amz-target"], &now, &hex("{}"));
    let answer = request.send().await;
    assert_eq!(answer.kind(), "IncompleteSignatureException");
    assert!(answer.message().contains("'Host'"), "{}", answer.message());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_sdk_signs_is_verified_and_no_byte_of_it_can_change(
        odd in proptest::collection::btree_map("x-[a-z0-9-]{1,12}", "[!-~]([ -~]{0,20}[!-~])?", 0..5),
        body in proptest::collection::vec(any::<u8>(), 1..80),
        at in any::<proptest::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let emulator = Running::start(Settings { seed_tapes: 0, ..settings() }).await;
            let signed = || {
                let mut request = emulator.unsigned("ListTapes", body.clone());
                for (name, value) in odd.iter().filter(|(name, _)| !name.starts_with("x-amz")) {
                    request.set(name, value);
                }
                request.sign(KEY_ID, SECRET, SystemTime::now());
                request
            };
            let answer = signed().send().await;
            let passed = answer.status == 200 || answer.kind() == "SerializationException";
            assert!(passed, "{}", String::from_utf8_lossy(&answer.body));

            let mut altered = signed();
            let place = at.index(altered.body.len());
            altered.body[place] ^= 1;
            assert_eq!(altered.send().await.kind(), "InvalidSignatureException");
        });
    }
}

#[tokio::test]
async fn the_date_may_be_in_either_header_and_either_format() {
    let emulator = start().await;
    let now = jiff::Timestamp::now();
    let http = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for date in [long_date(now), http] {
        let mut request = emulator.unsigned("ListTapes", "{}");
        request.set("date", &date);
        sign_over(
            &mut request,
            &["date", "host", "x-amz-target"],
            &long_date(now),
            &hex("{}"),
        );
        let answer = request.send().await;
        assert_eq!(
            answer.status,
            200,
            "{date}: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }
}

#[tokio::test]
async fn a_payload_hash_is_checked_and_an_unsigned_payload_is_rejected() {
    let emulator = start().await;
    let mut how = SigningSettings::default();
    how.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let mut request = emulator.unsigned("ListTapes", "{}");
    request.sign_with(KEY_ID, SECRET, SystemTime::now(), how, "storagegateway");
    assert_eq!(request.send().await.status, 200);

    let now = long_date(jiff::Timestamp::now());
    let mut request = emulator.unsigned("ListTapes", "{}");
    request.set("x-amz-date", &now);
    request.set("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    sign_over(
        &mut request,
        &["host", "x-amz-content-sha256", "x-amz-date"],
        &now,
        "UNSIGNED-PAYLOAD",
    );
    assert_eq!(request.send().await.kind(), "InvalidSignatureException");
}

#[tokio::test]
async fn a_date_more_than_five_minutes_off_is_rejected_in_both_directions() {
    let emulator = start().await;
    let now = SystemTime::now();
    for (time, begins) in [
        (now - 6 * MINUTE, "Signature expired: "),
        (now - 400 * 24 * 60 * MINUTE, "Signature expired: "),
        (now + 6 * MINUTE, "Signature not yet current: "),
    ] {
        let mut request = emulator.unsigned("ListTapes", "{}");
        request.sign(KEY_ID, SECRET, time);
        let answer = request.send().await;
        assert_eq!(answer.kind(), "InvalidSignatureException");
        assert!(answer.message().starts_with(begins), "{}", answer.message());
    }
    for time in [now - 4 * MINUTE, now + 4 * MINUTE] {
        let mut request = emulator.unsigned("ListTapes", "{}");
        request.sign(KEY_ID, SECRET, time);
        assert_eq!(request.send().await.status, 200);
    }
}

#[tokio::test]
async fn a_request_without_a_signature_is_rejected() {
    let emulator = start().await;
    let answer = emulator.unsigned("ListTapes", "{}").send().await;
    assert_eq!(
        (answer.status, answer.kind().as_str()),
        (400, "MissingAuthenticationTokenException")
    );
}

#[tokio::test]
async fn a_malformed_authorization_says_what_is_missing() {
    let emulator = start().await;
    let scope = "AKIDEXAMPLE/20260101/us-east-1/storagegateway/aws4_request";
    let signature = "0".repeat(64);
    let cases = [
        ("Bearer abc".to_owned(), "AWS4-HMAC-SHA256"),
        ("AWS4-HMAC-SHA256".to_owned(), "AWS4-HMAC-SHA256"),
        ("AWS4-HMAC-SHA256 nonsense".to_owned(), "equal-sign"),
        (
            format!("AWS4-HMAC-SHA256 Credential={scope}"),
            "'Signature' parameter. Authorization header requires 'SignedHeaders'",
        ),
        (
            format!("AWS4-HMAC-SHA256 Credential=AKID, SignedHeaders=host, Signature={signature}"),
            "5 slash-delimited",
        ),
        (
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=abc"),
            "64 lower-case hexadecimal",
        ),
        (
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=Host;host, Signature={signature}"),
            "lower-case",
        ),
        (
            format!(
                "AWS4-HMAC-SHA256 Credential={scope}, Credential={scope}, SignedHeaders=host, Signature={signature}"
            ),
            "twice",
        ),
    ];
    for (header, says) in cases {
        let mut request = emulator.request("ListTapes", "{}");
        request.set("authorization", &header);
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (400, "IncompleteSignatureException"),
            "{header}"
        );
        assert!(answer.message().contains(says), "{header}: {}", answer.message());
        assert!(
            !answer.message().contains(&signature),
            "a signature is repeated to nobody"
        );
    }
    let undated = emulator
        .request("ListTapes", "{}")
        .without("x-amz-date")
        .send()
        .await;
    assert_eq!(undated.kind(), "IncompleteSignatureException");
    let mut misdated = emulator.request("ListTapes", "{}");
    misdated.set("x-amz-date", "yesterday");
    assert_eq!(misdated.send().await.kind(), "IncompleteSignatureException");
}

#[tokio::test]
async fn the_scope_must_name_this_service_and_day() {
    let emulator = start().await;
    let mut other = emulator.unsigned("ListTapes", "{}");
    other.sign_with(
        KEY_ID,
        SECRET,
        SystemTime::now(),
        SigningSettings::default(),
        "s3",
    );
    let answer = other.send().await;
    assert_eq!(answer.kind(), "InvalidSignatureException");
    assert!(
        answer.message().contains("correct service: 'storagegateway'"),
        "{}",
        answer.message()
    );

    for (from, to, says) in [
        ("us-east-1/", "US EAST/", "valid region"),
        ("aws4_request", "aws5_request", "valid terminator"),
        ("AKIDEXAMPLE/2", "AKIDEXAMPLE/1", "Date in Credential scope"),
    ] {
        let mut request = emulator.request("ListTapes", "{}");
        let header = request.get("authorization").replace(from, to);
        request.set("authorization", &header);
        let answer = request.send().await;
        assert_eq!(answer.kind(), "InvalidSignatureException", "{to}");
        assert!(answer.message().contains(says), "{}", answer.message());
    }
}

#[tokio::test]
async fn without_credentials_form_scope_and_date_are_still_checked() {
    let emulator = Running::start(Settings {
        credentials: Vec::new(),
        ..settings()
    })
    .await;
    let client = emulator.client_of("us-east-1", "ANYONE", "anything");
    assert_eq!(client.list_tapes().send().await.unwrap().tape_infos().len(), 100);

    let mut altered = emulator.request("ListTapes", r#"{"Limit":1}"#);
    altered.body = br#"{"Limit":2}"#.to_vec();
    assert_eq!(altered.send().await.status, 200);

    let answer = emulator.unsigned("ListTapes", "{}").send().await;
    assert_eq!(answer.kind(), "MissingAuthenticationTokenException");
    let mut stale = emulator.unsigned("ListTapes", "{}");
    stale.sign(KEY_ID, SECRET, SystemTime::now() - 6 * MINUTE);
    assert_eq!(stale.send().await.kind(), "InvalidSignatureException");
    let mut other = emulator.unsigned("ListTapes", "{}");
    other.sign_with(
        KEY_ID,
        SECRET,
        SystemTime::now(),
        SigningSettings::default(),
        "s3",
    );
    assert_eq!(other.send().await.kind(), "InvalidSignatureException");
}

#[test]
fn no_debug_output_shows_the_secret() {
    let shown = format!("{:?}", settings());
    assert!(shown.contains(KEY_ID) && !shown.contains(SECRET), "{shown}");
}

/// Three that may sign: one for long, one with a session token, one with another.
async fn start_with_tokens() -> Running {
    let with_token = |id: &str, token: &str| Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: format!("secret of {id}").into(),
        session_token: Some(token.into()),
        account_id: None,
    };
    let mut settings = settings();
    settings.credentials.push(with_token("ASIAONE", "token/one=="));
    settings.credentials.push(with_token("ASIATWO", "token/two=="));
    assert!(!format!("{settings:?}").contains("token/one"), "{settings:?}");
    Running::start(settings).await
}

#[tokio::test]
async fn every_configured_pair_may_sign_with_its_own_secret_and_token() {
    let emulator = start_with_tokens().await;
    for (id, secret, token, refusal) in [
        (KEY_ID, SECRET, None, None),
        ("ASIAONE", "secret of ASIAONE", Some("token/one=="), None),
        ("ASIATWO", "secret of ASIATWO", Some("token/two=="), None),
        // No token, a wrong one, another's, and one that there is none for.
        (
            "ASIAONE",
            "secret of ASIAONE",
            None,
            Some("UnrecognizedClientException"),
        ),
        (
            "ASIAONE",
            "secret of ASIAONE",
            Some("token/on"),
            Some("UnrecognizedClientException"),
        ),
        (
            "ASIAONE",
            "secret of ASIAONE",
            Some("token/two=="),
            Some("UnrecognizedClientException"),
        ),
        (
            KEY_ID,
            SECRET,
            Some("token/one=="),
            Some("UnrecognizedClientException"),
        ),
        // The right token, and the secret of another.
        (
            "ASIAONE",
            "secret of ASIATWO",
            Some("token/one=="),
            Some("InvalidSignatureException"),
        ),
    ] {
        let client = emulator.client_with(SdkCredentials::from_keys(id, secret, token.map(str::to_owned)));
        let answer = client.list_tapes().send().await;
        let found = answer.err().map(|error| codes(&error).0);
        assert_eq!(found.as_deref(), refusal, "{id} {secret} {token:?}");
    }
}

#[tokio::test]
async fn a_session_token_sent_twice_is_rejected() {
    let emulator = start_with_tokens().await;
    let mut request = emulator.unsigned("ListTapes", "{}");
    request.set("x-amz-security-token", "token/one==");
    request.sign("ASIAONE", "secret of ASIAONE", SystemTime::now());
    let second = ("x-amz-security-token".to_owned(), "token/one==".to_owned());
    request.headers.push(second);
    let answer = request.send().await;
    assert_eq!(answer.kind(), "UnrecognizedClientException");
    assert_eq!(
        answer.message(),
        "The security token included in the request is invalid."
    );
}

#[tokio::test]
async fn without_credentials_session_tokens_are_ignored() {
    let emulator = Running::start(Settings::default()).await;
    for token in [None, Some("whatever".to_owned())] {
        let client = emulator.client_with(SdkCredentials::from_keys("ANYONE", "anything", token));
        client.list_tapes().send().await.unwrap();
    }
}

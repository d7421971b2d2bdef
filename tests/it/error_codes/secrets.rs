//! AWS messages about the role and credentials of the service are not passed on to callers.

use tonic::Code;

use super::{Failing, OPERATIONS, named, nested};

const ROLE: &str = "arn:aws:sts::123456789012:assumed-role/backup-secret-role/i-0123456789abcdef0";

#[tokio::test]
async fn roles_and_credentials_are_not_passed_on() {
    let failing = Failing::start().await;
    let words =
        format!("User: {ROLE} is not authorized to perform: storagegateway:ListTapes with AKIASECRET");
    let documented = [
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "UnrecognizedClientException",
    ];
    let unknown = [
        "AccessDenied",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "NotAuthorized",
    ];
    let by_name = documented.map(|name| (400, named(name, &words))).into_iter();
    let by_name = by_name.chain(documented.map(|name| (403, named(name, &words))));
    let by_name = by_name.chain(unknown.map(|name| (403, named(name, &words))));
    let by_name = by_name.chain(unknown.map(|name| (401, named(name, &words))));
    // The HTTP status of an unknown code shows that it is about credentials; at 400, only the ARN of
    // a role does.
    let by_name = by_name.chain(unknown.map(|name| (400, named(name, &words.replace("AKIASECRET", "it")))));
    let in_code = [
        "AuthenticationFailure",
        "UnauthorizedOperation",
        "Blocked",
        "IAMNotSupported",
        "InvalidParameters",
    ];
    let in_code = in_code.map(|code| {
        (
            400,
            nested(
                "InvalidGatewayRequestException",
                code,
                &words.replace("AKIASECRET", "it"),
            ),
        )
    });
    for (http_status, body) in by_name.chain(in_code) {
        for (operation, _) in OPERATIONS {
            let refused = failing.refusal(operation, http_status, &body).await;
            let seen = format!("{refused:?}");
            for secret in ["assumed-role", "backup-secret-role", "AKIASECRET"] {
                assert!(!seen.contains(secret), "{secret} of {body} in {seen}");
            }
        }
    }
}

/// Only ARNs of roles and users make a message secret.
#[tokio::test]
async fn a_message_without_a_role_is_passed_on() {
    let failing = Failing::start().await;
    let words = "The gateway arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-1 sleeps.";
    let body = nested("InvalidGatewayRequestException", "InvalidGateway", words);
    let refused = failing.refusal("DescribeTapes", 400, &body).await;
    assert!(
        refused.message.contains(words.trim_end_matches('.')),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn the_missing_permission_of_the_role_is_named() {
    let failing = Failing::start().await;
    for (operation, _) in OPERATIONS {
        let body = named("AccessDeniedException", "no");
        let refused = failing.refusal(operation, 400, &body).await;
        assert_eq!(refused.code, Code::Internal);
        let right = format!("storagegateway:{operation}");
        assert!(refused.message.contains(&right), "{}", refused.message);
        assert!(
            refused.message.contains("the AWS role of this service"),
            "{}",
            refused.message
        );
    }
}

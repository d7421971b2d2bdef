//! The shapes of the service model of STS.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::api::{
    shapes::{Integer, List, Pattern, TagShape, Text, pattern},
    validation::{Faults, Members, Shape},
};

static NAME: Pattern = pattern!(r"[0-9A-Za-z_+=,.@-]*");
static ARN: Pattern = pattern!(r"[\t\n\r\x20-\x7E\x85\xA0-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]+");
static EXTERNAL: Pattern = pattern!(r"[0-9A-Za-z_+=,.@:/-]*");
static POLICY_PATTERN: Pattern = pattern!(r"[\t\n\r\x20-\x{FF}]+");
static SERIAL: Pattern = pattern!(r"[0-9A-Za-z_+=/:,.@-]*");
static CODE: Pattern = pattern!(r"[0-9]*");

pub(super) static ROLE_ARN: Text = text(20, 2048, Some(&ARN));
pub(super) static SESSION_NAME: Text = text(2, 64, Some(&NAME));
pub(super) static EXTERNAL_ID: Text = text(2, 1224, Some(&EXTERNAL));
pub(super) static POLICY: Text = text(1, 2048, Some(&POLICY_PATTERN));
pub(super) static POLICY_ARNS: List<PolicyArn> = List(PolicyArn);
pub(super) static SOURCE_IDENTITY: Text = text(2, 64, Some(&NAME));
pub(super) static SERIAL_NUMBER: Text = text(9, 256, Some(&SERIAL));
pub(super) static TOKEN_CODE: Text = text(6, 6, Some(&CODE));
pub(super) static TAGS: List<TagShape> = List(TagShape);
pub(super) static TAG_KEYS: List<Text> = List(text(1, 128, None));
pub(super) static WEB_IDENTITY_TOKEN: Text = text(4, 20_000, None);
pub(super) static PROVIDER_ID: Text = text(4, 2048, None);
pub(super) static DURATION: Integer = Integer {
    min: 900,
    max: Some(43_200),
};

const fn text(min: usize, max: usize, pattern: Option<&'static Pattern>) -> Text {
    Text { min, max, pattern }
}

/// The structure with the ARN of a managed policy.
pub(super) struct PolicyArn;

impl Shape for PolicyArn {
    type Output = String;

    fn read(&self, value: Value, at: &str, faults: &mut Faults) -> String {
        let Value::Object(members) = value else {
            faults.mistyped(&value, at, "PolicyDescriptorType");
            return String::new();
        };
        let mut members = Members::new(members, format!("{at}."), faults);
        members.optional("arn", &ROLE_ARN).unwrap_or_default()
    }
}

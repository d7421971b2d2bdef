//! The shapes of the service model that the tape operations take, with its constraints.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::validation::{Faults, Members, Shape};
use crate::account::creation::Tag;

pub(super) type Pattern = LazyLock<Regex>;

macro_rules! pattern {
    ($text:expr) => {
        LazyLock::new(|| Regex::new($text).expect("a pattern of the service model compiles"))
    };
}
pub(super) use pattern;

static BARCODE: Pattern = pattern!(r"^[A-Z0-9]*$");
static BARCODE_PREFIX: Pattern = pattern!(r"^[A-Z]*$");
static POOL_NAME_PATTERN: Pattern = pattern!(r"^[ -\.0-\[\]-~]*[!-\.0-\[\]-~][ -\.0-\[\]-~]*$");
static TAG_KEY: Pattern = pattern!(r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$");
static TAPE_ARN_PATTERN: Pattern = pattern!(
    r"arn:(aws(|-cn|-us-gov|-iso[A-Za-z0-9_-]*|-eusc)):storagegateway:[a-z\-0-9]+:[0-9]+:tape\/[0-9A-Z]{5,16}$"
);
static KMS_KEY_PATTERN: Pattern = pattern!(
    r"(^arn:(aws(|-cn|-us-gov|-iso[A-Za-z0-9_-]*|-eusc)):kms:([a-zA-Z0-9-]+):([0-9]+):(key|alias)/(\S+)$)|(^alias/(\S+)$)"
);

pub(super) static GATEWAY_ARN: Text = Text {
    min: 50,
    max: 500,
    pattern: None,
};
pub(super) static RESOURCE_ARN: Text = Text {
    min: 50,
    max: 500,
    pattern: None,
};
pub(super) static TAPE_ARN: Text = TAPE_ARN_TEXT;
pub(super) static TAPE_ARNS: List<Text> = List(TAPE_ARN_TEXT);
const TAPE_ARN_TEXT: Text = Text {
    min: 50,
    max: 500,
    pattern: Some(&TAPE_ARN_PATTERN),
};
pub(super) static TAPE_BARCODE: Text = Text {
    min: 5,
    max: 16,
    pattern: Some(&BARCODE),
};
pub(super) static TAPE_BARCODE_PREFIX: Text = Text {
    min: 1,
    max: 4,
    pattern: Some(&BARCODE_PREFIX),
};
pub(super) static TAPE_SIZE: Long = Long;
pub(super) static CLIENT_TOKEN: Text = Text {
    min: 5,
    max: 100,
    pattern: None,
};
pub(super) static NUM_TAPES: Integer = Integer {
    min: 1,
    max: Some(10),
};
pub(super) static KMS_KEY: Text = Text {
    min: 7,
    max: 2048,
    pattern: Some(&KMS_KEY_PATTERN),
};
pub(super) static POOL_ID: Text = Text {
    min: 1,
    max: 100,
    pattern: None,
};
pub(super) static POOL_NAME: Text = Text {
    min: 1,
    max: 100,
    pattern: Some(&POOL_NAME_PATTERN),
};
pub(super) static POOL_ARN: Text = POOL_ARN_TEXT;
pub(super) static POOL_ARNS: List<Text> = List(POOL_ARN_TEXT);
const POOL_ARN_TEXT: Text = Text {
    min: 50,
    max: 500,
    pattern: None,
};
pub(super) static STORAGE_CLASS: Choice = Choice(&["DEEP_ARCHIVE", "GLACIER"]);
pub(super) static RETENTION_LOCK_TYPE: Choice = Choice(&["COMPLIANCE", "GOVERNANCE", "NONE"]);
pub(super) static RETENTION_LOCK_DAYS: Integer = Integer {
    min: 0,
    max: Some(36_500),
};
pub(super) static MARKER: Text = Text {
    min: 1,
    max: 2000,
    pattern: None,
};
pub(super) static LIMIT: Integer = Integer { min: 1, max: None };
pub(super) static BOOLEAN: Boolean = Boolean;
pub(super) static TAGS: List<TagShape> = List(TagShape);

/// A string. Its length is counted in characters.
pub(super) struct Text {
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) pattern: Option<&'static Pattern>,
}

impl Shape for Text {
    type Output = String;

    fn read(&self, value: Value, at: &str, faults: &mut Faults) -> String {
        let Value::String(text) = value else {
            faults.mistyped(&value, at, "String");
            return String::new();
        };
        let length = text.chars().count();
        if length < self.min {
            let constraint = format!("Member must have length greater than or equal to {}", self.min);
            faults.violated(&text, at, &constraint);
        }
        if length > self.max {
            let constraint = format!("Member must have length less than or equal to {}", self.max);
            faults.violated(&text, at, &constraint);
        }
        // A pattern of AWS must match the whole text, anchored or not.
        let whole = |regex: &Regex| regex.find(&text).is_some_and(|found| found.len() == text.len());
        if let Some(pattern) = self.pattern.filter(|pattern| !whole(pattern)) {
            let constraint = format!(
                "Member must satisfy regular expression pattern: {}",
                pattern.as_str()
            );
            faults.violated(&text, at, &constraint);
        }
        text
    }
}

/// An enum.
pub(super) struct Choice(&'static [&'static str]);

impl Shape for Choice {
    type Output = &'static str;

    fn read(&self, value: Value, at: &str, faults: &mut Faults) -> &'static str {
        let Value::String(text) = value else {
            faults.mistyped(&value, at, "String");
            return "";
        };
        let found = self.0.iter().find(|word| **word == text);
        found.copied().unwrap_or_else(|| {
            let words = self.0.join(", ");
            let constraint = format!("Member must satisfy enum value set: [{words}]");
            faults.violated(&text, at, &constraint);
            ""
        })
    }
}

/// A 64-bit integer without bounds in the model.
pub(super) struct Long;

impl Shape for Long {
    type Output = i64;

    fn read(&self, value: Value, at: &str, faults: &mut Faults) -> i64 {
        value.as_i64().unwrap_or_else(|| {
            faults.mistyped(&value, at, "Long");
            0
        })
    }
}

/// A 32-bit integer with bounds.
pub(super) struct Integer {
    pub(super) min: i32,
    pub(super) max: Option<i32>,
}

impl Shape for Integer {
    type Output = i32;

    fn read(&self, value: Value, at: &str, faults: &mut Faults) -> i32 {
        let Some(number) = value.as_i64().and_then(|number| i32::try_from(number).ok()) else {
            faults.mistyped(&value, at, "Integer");
            return 0;
        };
        if number < self.min {
            let constraint = format!("Member must have value greater than or equal to {}", self.min);
            faults.violated(&number.to_string(), at, &constraint);
        }
        if let Some(max) = self.max.filter(|max| number > *max) {
            let constraint = format!("Member must have value less than or equal to {max}");
            faults.violated(&number.to_string(), at, &constraint);
        }
        number
    }
}

/// True or false.
pub(super) struct Boolean;

impl Shape for Boolean {
    type Output = bool;

    fn read(&self, value: Value, at: &str, faults: &mut Faults) -> bool {
        value.as_bool().unwrap_or_else(|| {
            faults.mistyped(&value, at, "Boolean");
            false
        })
    }
}

/// A list. A null in it is rejected, since none of these lists is sparse.
pub(super) struct List<S>(pub(super) S);

impl<S: Shape> Shape for List<S> {
    type Output = Vec<S::Output>;

    fn read(&self, value: Value, at: &str, faults: &mut Faults) -> Self::Output {
        let Value::Array(values) = value else {
            faults.mistyped(&value, at, "List");
            return Vec::new();
        };
        let numbered = values.into_iter().zip(1..);
        numbered
            .map(|(value, n)| self.0.read(value, &format!("{at}.{n}.member"), faults))
            .collect()
    }
}

/// The shape of a [`Tag`].
pub(super) struct TagShape;

impl Shape for TagShape {
    type Output = Tag;

    fn read(&self, value: Value, at: &str, faults: &mut Faults) -> Tag {
        static KEY: Text = Text {
            min: 1,
            max: 128,
            pattern: Some(&TAG_KEY),
        };
        static VALUE: Text = Text {
            min: 0,
            max: 256,
            pattern: None,
        };
        let Value::Object(members) = value else {
            faults.mistyped(&value, at, "Tag");
            return Tag::default();
        };
        let mut members = Members::new(members, format!("{at}."), faults);
        Tag {
            key: members.required("Key", &KEY),
            value: members.required("Value", &VALUE),
        }
    }
}

//! The forms of values: how one is read from the file, a variable or a flag.
//!
//! A form goes into `#[serde(with = "…")]`. Its error ends with `expected` and what it takes.

use std::{fmt::Display, net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use toml::Value;

use crate::protocol::Code;

/// A form that text spells.
pub(crate) trait Text {
    /// What a valid text is read as.
    type Value;
    /// Which texts are valid.
    const TAKES: &str;

    /// The value of a text; `None` for one that is not valid.
    fn parse(text: &str) -> Option<Self::Value>;

    fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: From<Self::Value>,
    {
        let value = Value::deserialize(deserializer)?;
        let parsed = value.as_str().and_then(Self::parse);
        expect(parsed, Self::TAKES).map(T::from)
    }

    fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}

fn expect<T, E: Error>(value: Option<T>, takes: impl Display) -> Result<T, E> {
    value.ok_or_else(|| E::custom(format_args!("expected {takes}")))
}

/// An address to listen on.
pub(crate) struct Address;

impl Text for Address {
    type Value = SocketAddr;
    const TAKES: &str =
        "an IP address and a port, such as 127.0.0.1:4588 or [::1]:4588 (port 0: any free port)";

    fn parse(text: &str) -> Option<SocketAddr> {
        text.parse().ok()
    }
}

/// An AWS account.
pub(crate) struct AccountId;

impl Text for AccountId {
    type Value = String;
    const TAKES: &str = "an AWS account of 12 digits, such as 123456789012";

    fn parse(text: &str) -> Option<String> {
        (text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
    }
}

/// The path of a file.
pub(crate) struct FilePath;

impl Text for FilePath {
    type Value = PathBuf;
    const TAKES: &str = "the path of a file";

    fn parse(text: &str) -> Option<PathBuf> {
        (!text.is_empty()).then(|| text.into())
    }
}

/// The public half of a pair of access keys.
pub(crate) struct AccessKeyId;

impl Text for AccessKeyId {
    type Value = String;
    const TAKES: &str = "an access key id of 1 to 128 letters, digits and underscores";

    fn parse(text: &str) -> Option<String> {
        let right = |c: char| c.is_ascii_alphanumeric() || c == '_';
        ((1..=128).contains(&text.len()) && text.chars().all(right)).then(|| text.to_owned())
    }
}

/// The secret half of a pair of access keys.
pub(crate) struct SecretKey;

impl Text for SecretKey {
    type Value = SecretString;
    const TAKES: &str = "a secret of 1 to 1024 visible ASCII characters";

    fn parse(text: &str) -> Option<SecretString> {
        secret(text, 1024)
    }
}

impl SecretKey {
    /// Nothing: a secret is never shown.
    pub(crate) fn serialize<T, S: Serializer>(_: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

/// The token of temporary credentials.
pub(crate) struct SessionToken;

impl Text for SessionToken {
    type Value = SecretString;
    const TAKES: &str = "a token of 1 to 16384 visible ASCII characters";

    fn parse(text: &str) -> Option<SecretString> {
        secret(text, 16_384)
    }
}

fn secret(text: &str, max: usize) -> Option<SecretString> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    ((1..=max).contains(&text.len()) && is_visible).then(|| text.into())
}

/// The code that rejects tapes for which a library has no room.
pub(crate) struct FullLibraryCode;

impl Text for FullLibraryCode {
    type Value = Code;
    const TAKES: &str =
        "one of MaximumTapeCartridgeCountExceeded, LocalStorageLimitExceeded, InvalidParameters";

    fn parse(text: &str) -> Option<Code> {
        let codes = [
            Code::MaximumTapeCartridgeCountExceeded,
            Code::LocalStorageLimitExceeded,
            Code::InvalidParameters,
        ];
        codes.into_iter().find(|code| format!("{code:?}") == text)
    }
}

/// The code that rejects tapes of a gateway without a cache.
pub(crate) struct NoCacheCode;

impl Text for NoCacheCode {
    type Value = Code;
    const TAKES: &str = "one of NoDisksAvailable, LocalStorageLimitExceeded, InvalidParameters";

    fn parse(text: &str) -> Option<Code> {
        let codes = [
            Code::NoDisksAvailable,
            Code::LocalStorageLimitExceeded,
            Code::InvalidParameters,
        ];
        codes.into_iter().find(|code| format!("{code:?}") == text)
    }
}

/// A whole number from `MIN` to `MAX`.
pub(crate) struct Whole<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Whole<MIN, MAX> {
    pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: TryFrom<u64>,
    {
        let value = Value::deserialize(deserializer)?;
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        let number = number.filter(|number| (MIN..=MAX).contains(number));
        let takes = format_args!("a whole number from {MIN} to {MAX}");
        expect(number.and_then(|number| T::try_from(number).ok()), takes)
    }

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}

/// A duration from `MIN` to `MAX` milliseconds.
pub(crate) struct Time<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Time<MIN, MAX> {
    pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: From<Duration>,
    {
        let [min, max] = [MIN, MAX].map(Duration::from_millis);
        let value = Value::deserialize(deserializer)?;
        let time = value
            .as_str()
            .and_then(|text| humantime::parse_duration(text).ok());
        let time = time.filter(|time| (min..=max).contains(time));
        let [min, max] = [min, max].map(humantime::format_duration);
        let takes = format_args!("a duration from {min} to {max}, such as 500ms, 30s or 1m 30s");
        expect(time.map(T::from), takes)
    }

    pub(crate) fn serialize<T, S>(time: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + Into<Option<Duration>>,
        S: Serializer,
    {
        match (*time).into() {
            Some(time) => humantime::format_duration(time).to_string().serialize(serializer),
            None => serializer.serialize_none(),
        }
    }
}

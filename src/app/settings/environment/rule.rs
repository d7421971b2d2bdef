use std::borrow::Cow;

use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use crate::{
    app::settings::{parsers, setting_type::ValueParser},
    domain::{Invalid, RoleArn},
    files,
    network::read_root_certificates,
};

/// The values that a library takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::app::settings) enum Rule {
    /// Every text.
    Any,
    /// Those of a setting, which checks it.
    OfSetting,
    /// None: the variable has no effect. What decides instead.
    Ignored(&'static str),
    /// `true` or `false`, in any case.
    Flag,
    /// An `http` or `https` URL with a host.
    Url,
    /// A path of a URL, which begins with `/`.
    UrlPath,
    /// A whole number in this range.
    Number(u64, u64),
    /// A number from 0 to 1.
    Share,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, in any case.
    AnyCase(&'static [&'static str]),
    /// Several of these words, separated by commas.
    Words(&'static [&'static str]),
    /// Visible ASCII characters: the value becomes a part of an HTTP header. It may be a secret, and
    /// is not shown.
    Secret,
    /// Visible ASCII characters and spaces, for the `User-Agent` header.
    UserAgent,
    /// An application's name of at most 50 characters.
    AppName,
    /// 12 digits.
    AccountId,
    /// The ARN of an IAM role.
    RoleArn,
    /// 2 to 64 letters, digits and `+=,.@-_`.
    SessionName,
    /// `NAME=VALUE` pairs, separated by commas, whose values may be secrets.
    Headers,
    /// `NAME=VALUE` pairs, separated by commas.
    Pairs,
    /// A file of PEM certificates.
    Certificates,
    /// A file, which may be made later.
    File,
    /// A file of AWS's tools, which is checked also if no variable names it.
    AwsFile,
}

impl Rule {
    /// The values that the library takes, as documents and errors say it.
    pub(super) fn expected(self) -> Cow<'static, str> {
        match self {
            Self::Any | Self::OfSetting => "any text".into(),
            Self::Ignored(instead) => format!("no effect: {instead}").into(),
            Self::Flag => "`true` or `false`".into(),
            Self::Url => "an http or https URL with a host, without user and password".into(),
            Self::UrlPath => "the path of a URL, such as `/v2/credentials`".into(),
            Self::Number(least, most) => format!("a whole number from {least} to {most}").into(),
            Self::Share => "a number from 0 to 1".into(),
            Self::Word(words) | Self::AnyCase(words) => one_of(words).into(),
            Self::Words(words) => {
                format!("{}, or several of them, separated by commas", one_of(words)).into()
            }
            Self::Secret => "visible ASCII characters, at most 16 KiB".into(),
            Self::UserAgent => "at most 256 visible ASCII characters".into(),
            Self::AppName => "at most 50 letters, digits and ``!#$%&'*+-.^_`|~``".into(),
            Self::AccountId => "12 digits".into(),
            Self::RoleArn => {
                "the ARN of an IAM role, such as `arn:aws:iam::123456789012:role/tapegate`".into()
            }
            Self::SessionName => "2 to 64 letters, digits and `+=,.@-_`".into(),
            Self::Headers => "`NAME=VALUE` pairs of headers, separated by commas".into(),
            Self::Pairs => "`NAME=VALUE` pairs, separated by commas".into(),
            Self::Certificates => "the path of a file of PEM certificates".into(),
            Self::File | Self::AwsFile => "the path of a file".into(),
        }
    }

    /// Whether the value can be a secret, or have one in it, and so is not shown.
    fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Headers | Self::Url)
    }

    /// Checks a value; the error says what is wrong with it and what is right.
    pub(in crate::app::settings) fn check(self, value: &str) -> Result<(), String> {
        match (self, self.allows(value)) {
            (Self::Certificates, _) => read_root_certificates(value.as_ref()).map(drop),
            (Self::File, _) => files::check(value.as_ref())
                .map_err(|error| format!("{} cannot be read: {error}", Invalid::quote(value))),
            (_, true) => Ok(()),
            (_, false) if self.is_secret() => Err(format!("is not valid; expected {}", self.expected())),
            (_, false) => Err(format!(
                "is {}; expected {}",
                Invalid::quote(value),
                self.expected()
            )),
        }
    }

    fn allows(self, value: &str) -> bool {
        let pairs = || value.split(',').filter(|pair| !pair.trim().is_empty());
        match self {
            Self::Any | Self::OfSetting | Self::Ignored(_) => true,
            Self::Certificates | Self::File | Self::AwsFile => true,
            Self::Flag => is_word(&["true", "false"], value),
            Self::Url => parsers::http_url(value).is_some(),
            Self::UrlPath => value.starts_with('/') && value.parse::<Uri>().is_ok(),
            Self::Number(least, most) => value
                .parse()
                .is_ok_and(|number: u64| (least..=most).contains(&number)),
            Self::Share => value.parse().is_ok_and(|share: f64| (0.0..=1.0).contains(&share)),
            Self::Word(words) => words.contains(&value),
            Self::AnyCase(words) => is_word(words, value),
            Self::Words(words) => value.split(',').all(|word| words.contains(&word.trim())),
            Self::Secret => value.bytes().all(|byte| byte.is_ascii_graphic()) && value.len() <= 16 * 1024,
            Self::UserAgent => {
                value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && value.len() <= 256
            }
            Self::AppName => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                value.chars().all(is_name) && value.len() <= 50
            }
            Self::AccountId => value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()),
            Self::RoleArn => value.parse::<RoleArn>().is_ok(),
            Self::SessionName => parsers::SESSION_NAME.parse(value).is_some(),
            Self::Headers => pairs().all(is_header),
            Self::Pairs => pairs().all(|pair| {
                pair.split_once('=')
                    .is_some_and(|(name, _)| !name.trim().is_empty())
            }),
        }
    }
}

fn is_word(words: &[&str], text: &str) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether it is a header as `OTEL_EXPORTER_OTLP_HEADERS` has it, with its value percent-encoded.
fn is_header(pair: &str) -> bool {
    let Some((name, value)) = pair.split_once('=') else {
        return false;
    };
    let value = percent_decode_str(value.trim()).decode_utf8();
    HeaderName::try_from(name.trim()).is_ok()
        && value.is_ok_and(|value| HeaderValue::try_from(&*value).is_ok())
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}

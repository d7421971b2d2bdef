//! `[limits]` and `[[limits.group]]`: quotas of each principal.

use std::collections::BTreeSet;

use super::{
    Setting, Table,
    parsers::{Integer, Text},
    upstream,
    values::Values,
};
use crate::access::limits::{GroupLimits, LimitSettings, PrincipalLimits};

macro_rules! limits {
    ($section:literal, $also:literal, $open:expr, $also_of_open:literal, $attempts:expr, $also_of_attempts:literal) => {
        pub(crate) static CALLS_PER_SECOND: Setting<Integer<u32>> = Setting {
            key: concat!($section, "calls_per_second"),
            kind: Integer {
                range: 1..=1_000_000,
                unit: "calls",
            },
            default: None,
            help: concat!(
                "The maximum number of calls per second of one principal, on this replica. It is also the maximum \
                 burst: the size of the token bucket.",
                $also
            ),
        };

        pub(crate) static CONCURRENT_STREAMS: Setting<Integer<u32>> = Setting {
            key: concat!($section, "concurrent_streams"),
            kind: Integer {
                range: 1..=1_000_000,
                unit: "calls",
            },
            default: $open,
            help: concat!(
                "The maximum number of open calls of one principal, on this replica, over all its connections.",
                $also_of_open
            ),
        };

        pub(crate) static ATTEMPTS_IN_FLIGHT: Setting<Integer<u32>> = Setting {
            key: concat!($section, "attempts_in_flight"),
            kind: Integer {
                range: 1..=1_000_000,
                unit: "attempts",
            },
            default: $attempts,
            help: concat!(
                "The maximum number of attempts of one principal that wait for AWS at a time, on this replica: of \
                 reads, and again of creates. Further attempts wait, at most until the deadlines of their calls.",
                $also_of_attempts
            ),
        };

        pub(crate) static TAPES_PER_HOUR: Setting<Integer<u32>> = Setting {
            key: concat!($section, "tapes_per_hour"),
            kind: Integer {
                range: 1..=1_000_000,
                unit: "tapes",
            },
            default: None,
            help: concat!(
                "The maximum number of tapes that one principal may create per hour, on this replica or, with \
                 limits.shared.url, on all replicas together. The count starts full and refills at a constant rate, \
                 so that up to twice as many can be created within an hour. The tapes of a \
                 create with the outcome not_applied do not count. A create that the caller repeats counts once: \
                 CreateTapes with the same client_token and parameters within create.token_window, \
                 CreateTapeWithBarcode with the same barcode within an hour. Each replica remembers at most 4,096 \
                 creates of a principal; the repeat of another one counts again.",
                $also
            ),
        };
    };
}

pub(crate) mod each {
    use super::{Integer, Setting};

    limits!(
        "limits.",
        " Default: no limit.",
        Some("500"),
        " A call is open until its client has read the last byte of the response. So one principal cannot use up \
         max_concurrent_calls.",
        Some("8"),
        " So the processors and upstream.max_connections are shared by all principals."
    );
}

mod group {
    use super::{Integer, Setting};

    limits!(
        "limits.group.",
        " Default: the limit in [limits].",
        None,
        " Default: the limit in [limits].",
        None,
        " Default: the limit in [limits]."
    );
}

static NAME: Setting<Text> = Setting {
    key: "limits.group.name",
    kind: Text {
        what: "a group's name",
    },
    default: None,
    help: "The name of the group.",
};

/// The limits of the members of a group.
pub(crate) static TABLE: Table = Table {
    key: "limits.group",
    help: "Limits of each member of a group, which replace those in [limits]. One table for each group. If a caller is \
           in several groups, the highest limit applies.",
    settings: &[
        &NAME,
        &group::CALLS_PER_SECOND,
        &group::CONCURRENT_STREAMS,
        &group::ATTEMPTS_IN_FLIGHT,
        &group::TAPES_PER_HOUR,
    ],
};

/// `[limits.shared]`: the count of created tapes that replicas share.
pub(crate) mod shared {
    use std::{path::PathBuf, time::Duration};

    use super::{Setting, Text, Values};
    use crate::{
        access::limits::{OnFailure, SharedSettings, StoreSettings},
        app::settings::parsers::{Choice, DurationIn, FILE, Parsed, STORE},
    };

    pub(crate) static URL: Setting<Parsed<String>> = Setting {
        key: "limits.shared.url",
        kind: STORE,
        default: None,
        help: "The Redis or Valkey server in which all replicas count tapes_per_hour together, 7.0 or later, not a \
               cluster: redis://HOST:PORT/DATABASE, or rediss:// with TLS. Without it, each replica counts for itself. \
               The other limits are always those of one replica.",
    };

    pub(crate) static USERNAME: Setting<Text> = Setting {
        key: "limits.shared.username",
        kind: Text {
            what: "the name of a user",
        },
        default: None,
        help: "The name of the user of limits.shared.url. Default: the user without a name.",
    };

    pub(crate) static PASSWORD_FILE: Setting<Parsed<PathBuf>> = Setting {
        key: "limits.shared.password_file",
        kind: FILE,
        default: None,
        help: "The file with the password of limits.shared.url. It is read at the start. Default: no password.",
    };

    pub(crate) static CA: Setting<Parsed<PathBuf>> = Setting {
        key: "limits.shared.ca",
        kind: FILE,
        default: None,
        help: "The file of root certificates (PEM) that the certificate of a rediss:// server must lead to. Default: \
               those of the system.",
    };

    pub(crate) static TIMEOUT: Setting<DurationIn> = Setting {
        key: "limits.shared.timeout",
        kind: DurationIn(Duration::from_millis(10)..=Duration::from_secs(5)),
        default: Some("250ms"),
        help: "How long a connection to limits.shared.url, and again an answer, may take.",
    };

    pub(crate) static PREFIX: Setting<Parsed<String>> = Setting {
        key: "limits.shared.prefix",
        kind: Parsed::new("TEXT", "1 to 64 letters, digits and :._-", |text| {
            crate::app::settings::parsers::word(text, 1..=64, ":._-")
        }),
        default: Some("tapegate"),
        help: "What the keys in limits.shared.url begin with. Services with different prefixes count apart.",
    };

    pub(crate) static ON_FAILURE: Setting<Choice<OnFailure>> = Setting {
        key: "limits.shared.on_failure",
        kind: Choice(&[
            ("reject", OnFailure::Reject),
            ("count_alone", OnFailure::CountAlone),
        ]),
        default: Some("reject"),
        help: "What happens to the creates of limited callers while limits.shared.url does not answer. reject: they end \
               with UNAVAILABLE (LIMITS_UNAVAILABLE), and the limit holds. count_alone: each replica counts for itself, \
               so that a caller can create tapes_per_hour tapes on each of them.",
    };

    /// `Some(None)` if each replica counts for itself.
    pub(crate) fn settings(values: &Values) -> Option<Option<SharedSettings>> {
        let Some(url) = values.optional(&URL)? else {
            return Some(None);
        };
        Some(Some(SharedSettings {
            store: StoreSettings {
                url,
                username: values.optional(&USERNAME)?,
                password_file: values.optional(&PASSWORD_FILE)?,
                ca: values.optional(&CA)?,
                timeout: values.get(&TIMEOUT)?,
            },
            prefix: values.get(&PREFIX)?,
            on_failure: values.get(&ON_FAILURE)?,
        }))
    }

    /// Rejects settings that have no effect.
    pub(in crate::app::settings) fn reject_useless(values: &mut Values) {
        if !values.is_given(&URL) {
            let why = "has no effect without limits.shared.url";
            values.reject_given(&USERNAME, why);
            values.reject_given(&PASSWORD_FILE, why);
            values.reject_given(&CA, why);
            values.reject_changed(&TIMEOUT, why);
            values.reject_changed(&PREFIX, why);
            values.reject_changed(&ON_FAILURE, why);
        } else if matches!(values.optional(&URL), Some(Some(url)) if url.starts_with("redis:")) {
            values.reject_given(
                &CA,
                "has no effect without TLS; use rediss:// in limits.shared.url",
            );
        }
    }
}

pub(super) fn read(values: &mut Values) -> Option<LimitSettings> {
    let mut names = BTreeSet::new();
    let groups = values.rows(&TABLE, |row| {
        let name = row.required(&NAME);
        if let Some(name) = &name
            && !names.insert(name.clone())
        {
            row.fault(
                &NAME,
                format!("{name} has a [[limits.group]] already; keep one of them"),
            );
        }
        let limits = PrincipalLimits {
            calls_per_second: row.optional(&group::CALLS_PER_SECOND)?,
            concurrent_streams: row.optional(&group::CONCURRENT_STREAMS)?,
            attempts_in_flight: row.optional(&group::ATTEMPTS_IN_FLIGHT)?,
            tapes_per_hour: row.optional(&group::TAPES_PER_HOUR)?,
        };
        Some(GroupLimits { name: name?, limits })
    });
    Some(LimitSettings {
        each: PrincipalLimits {
            calls_per_second: values.optional(&each::CALLS_PER_SECOND)?,
            concurrent_streams: Some(values.get(&each::CONCURRENT_STREAMS)?),
            attempts_in_flight: Some(values.get(&each::ATTEMPTS_IN_FLIGHT)?),
            tapes_per_hour: values.optional(&each::TAPES_PER_HOUR)?,
        },
        groups: groups?,
        token_window: values.get(&upstream::TOKEN_WINDOW)?,
    })
}

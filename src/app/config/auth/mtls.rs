use crate::{
    access::identity::certificate::{CertificateRule, NameKind},
    app::config::{
        Place, Setting,
        kind::List,
        values::{Raw, Values},
        word::{Choice, Pattern, Text},
    },
};

pub(crate) static NAMES: Setting<List<Choice<NameKind>>> = Setting {
    key: "auth.mtls.names",
    kind: List(Choice(&[
        ("spiffe", NameKind::Spiffe),
        ("uri", NameKind::Uri),
        ("dns", NameKind::Dns),
    ])),
    default: None,
    help: "Which names of a client certificate (its subject alternative names) can be the caller's. They are looked \
           for in this order: spiffe, uri, dns; the caller's is the one of the first kind that there is, and must be \
           the only one of it that counts. Default: all three kinds.",
};

pub(crate) static ALLOWED: Setting<List<Pattern>> = Setting {
    key: "auth.mtls.allowed",
    kind: List(Pattern),
    default: None,
    help: "The names that count, each with * for any run of characters: spiffe://example.org/agents/*. Default: every \
           name that a root of tls.client_ca has certified.",
};

pub(crate) static GROUPS: Setting<List<Text>> = Setting {
    key: "auth.mtls.groups",
    kind: List(Text {
        what: "a group's name",
    }),
    default: None,
    help: "The groups that every caller with a client certificate is in. Default: none.",
};

pub(super) fn read(values: &mut Values) -> Option<CertificateRule> {
    let all = ["spiffe", "uri", "dns"].map(|kind| (Place::Default, Some(kind.to_owned())));
    values.derive(&NAMES, Raw::Many(all.into()));
    values.derive(&ALLOWED, Raw::Many(Vec::new()));
    values.derive(&GROUPS, Raw::Many(Vec::new()));
    let (kinds, allowed, groups) = (values.get(&NAMES)?, values.get(&ALLOWED)?, values.get(&GROUPS)?);
    if kinds.is_empty() {
        values.fault(
            &NAMES,
            "is empty, so no certificate would say who calls; leave it out for all kinds",
        );
    }
    Some(CertificateRule {
        kinds: kinds.into_iter().collect(),
        allowed: allowed.into_iter().collect(),
        groups: groups.into_iter().collect(),
    })
}

//! `[[auth.certificate]]`: names and groups from client certificates.

use std::collections::BTreeSet;

use super::{
    Setting, Table,
    parsers::{Choice, Parsed, TEMPLATE, Text},
    server,
    setting_type::List,
    values::Values,
};
use crate::access::identity::certificate::{
    CertificatePattern, NameSource, PatternFault, Template, template_faults,
};

/// The patterns of names.
pub(crate) static TABLE: Table = Table {
    key: "auth.certificate",
    help: "A pattern of names of client certificates, which gives the name and the groups of the caller. One table for \
           each pattern. The first one that matches decides. A certificate is rejected if no pattern matches, or if \
           two of its names of the same type give different callers. Cannot be combined with [auth.mtls].\n\nA capture such as \
           {name} matches one or more ASCII letters, digits, -, _ and ., but no . in DNS names and behind the @ of \
           e-mail addresses, and single spaces, too, in the subject. All other text matches itself. A pattern \
           matches a whole name. Policies see the captures as tags: principal.getTag(\"site\").",
    settings: &[&FROM, &PATTERN, &NAME, &GROUPS],
};

static FROM: Setting<Choice<NameSource>> = Setting {
    key: "auth.certificate.from",
    kind: Choice(&[
        ("spiffe", NameSource::Spiffe),
        ("uri", NameSource::Uri),
        ("dns", NameSource::Dns),
        ("email", NameSource::Email),
        ("subject", NameSource::Subject),
    ]),
    default: None,
    help: "Where the name is: a SPIFFE id, another URI, a DNS name or an e-mail address among the subject alternative \
           names, or the subject. DNS names and the domains of e-mail addresses are compared in lower case.",
};

static PATTERN: Setting<Text> = Setting {
    key: "auth.certificate.pattern",
    kind: Text {
        what: "text with captures, such as spiffe://example.org/site/{site}/agent/{name}",
    },
    default: None,
    help: "The pattern. For a subject: attributes (CN, O, OU, L, ST, C, DC, UID, SERIALNUMBER) in any order, such as \
           CN={name},OU=site-{site}, with \\, for a comma in a value. Each must match exactly one value of the subject; \
           attributes that the pattern does not name are ignored.",
};

static NAME: Setting<Parsed<Template>> = Setting {
    key: "auth.certificate.name",
    kind: TEMPLATE,
    default: None,
    help: "The name of the caller. It must have all captures that make the caller unique: {site}/{name}, if agents of \
           two sites can have the same name. Default: the whole name in the certificate; a subject has no default.",
};

static GROUPS: Setting<List<Parsed<Template>>> = Setting {
    key: "auth.certificate.groups",
    kind: List(TEMPLATE),
    default: None,
    help: "The groups of the caller. One with captures begins with text that ends with / or :, such as site/{site}, so \
           that a certificate cannot choose a group that is meant for others. Default: none.",
};

/// The fault of a setting for client certificates if clients are not asked for one.
pub(super) const NOT_REQUESTED: &str =
    "has no effect, because tls.client_ca is not set: no client is asked for a certificate; set it, too";

pub(super) fn read_all(values: &mut Values) -> Option<Vec<CertificatePattern>> {
    let are_requested = values.is_given(&server::TLS_CLIENT_CA);
    let mut known = BTreeSet::new();
    values.rows(&TABLE, |row| {
        if !are_requested {
            row.fault(&PATTERN, NOT_REQUESTED);
        }
        if let (Some(Some(source)), Some(Some(pattern))) = (row.optional(&FROM), row.optional(&PATTERN))
            && !known.insert((source, pattern))
        {
            row.fault(
                &PATTERN,
                "has an [[auth.certificate]] already, which decides; keep one of them",
            );
        }
        read(row)
    })
}

fn read(values: &mut Values) -> Option<CertificatePattern> {
    values.set_default_list(&GROUPS, [""; 0]);
    let source = values.required(&FROM);
    let pattern = values.required(&PATTERN);
    let name = values.optional(&NAME);
    let groups: Vec<_> = values.valid_items(&GROUPS).into_iter().collect();
    let are_valid = values.get(&GROUPS).is_some();
    let pattern = match (source, &pattern, &name) {
        (Some(source), Some(pattern), Some(name)) if are_valid => {
            CertificatePattern::new(source, pattern, name.clone(), groups)
        }
        _ => {
            let name = name.as_ref().and_then(Option::as_ref);
            Err(template_faults(source, pattern.as_deref(), name, &groups))
        }
    };
    pattern
        .map_err(|faults| {
            for fault in faults {
                match fault {
                    PatternFault::Pattern(what) => values.fault(&PATTERN, what),
                    PatternFault::Name(what) => values.fault(&NAME, what),
                    PatternFault::Groups(what) => values.fault(&GROUPS, what),
                }
            }
        })
        .ok()
}

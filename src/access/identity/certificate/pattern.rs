use std::collections::BTreeSet;

use regex::Regex;

use super::{
    names::CertificateNames,
    source::{Alphabet, NameSource, Piece},
    template::{Captures, Part, Template},
};
use crate::{
    access::identity::AuthError,
    domain::{Principal, Proof},
};

/// A pattern of names, and the principal of a certificate whose name matches it.
#[derive(Clone, Debug)]
pub struct CertificatePattern {
    source: NameSource,
    pattern: String,
    /// The regex of the whole name, or of each attribute of the subject.
    regexes: Vec<(&'static str, Regex)>,
    name: Option<Template>,
    groups: Vec<Template>,
}

/// What is wrong with a pattern or with a template of its name or groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternFault {
    /// The pattern.
    Pattern(String),
    /// The name.
    Name(String),
    /// A group.
    Groups(String),
}

impl CertificatePattern {
    /// A pattern of names of this source. A certificate that matches it gives a principal with
    /// this `name`, which can be `None` for the whole name unless the source is the subject, and
    /// with these `groups`.
    ///
    /// # Errors
    ///
    /// All faults of the templates.
    pub fn new(
        source: NameSource,
        pattern: &str,
        name: Option<Template>,
        groups: Vec<Template>,
    ) -> Result<Self, Vec<PatternFault>> {
        let mut faults = template_faults(Some(source), Some(pattern), name.as_ref(), &groups);
        let pieces = source.parse(pattern).unwrap_or_else(|what| {
            faults.push(PatternFault::Pattern(what));
            Vec::new()
        });
        let mut captures = BTreeSet::new();
        for Piece {
            template, alphabet, ..
        } in &pieces
        {
            faults.extend(ambiguity(template, *alphabet).map(PatternFault::Pattern));
            for capture in template.captures() {
                if !captures.insert(capture) {
                    faults.push(PatternFault::Pattern(format!(
                        "has the capture {{{capture}}} twice; give each capture a name of its own"
                    )));
                }
            }
        }
        if name.is_none() && source == NameSource::Subject {
            faults.push(PatternFault::Name(
                "is not set; a pattern of subjects needs it, for example {name}".to_owned(),
            ));
        }
        match regexes(source, &pieces) {
            Some(regexes) if faults.is_empty() => Ok(Self {
                source,
                pattern: pattern.to_owned(),
                regexes,
                name,
                groups,
            }),
            Some(_) => Err(faults),
            None => {
                faults.push(PatternFault::Pattern("is too long".to_owned()));
                Err(faults)
            }
        }
    }

    /// Whether it needs [`CertificateNames::read_details`].
    pub(super) fn needs_details(&self) -> bool {
        matches!(self.source, NameSource::Email | NameSource::Subject)
    }

    /// The principal of each name of the source; `None` for a name that does not match.
    fn principals(&self, names: &CertificateNames) -> Result<Vec<Option<Principal>>, AuthError> {
        let names = match self.source {
            NameSource::Spiffe => &names.spiffe,
            NameSource::Uri => &names.uris,
            NameSource::Dns => &names.dns,
            NameSource::Email => &names.emails,
            NameSource::Subject => {
                let captures = self.match_subject(&names.subject)?;
                return Ok(vec![captures.and_then(|captures| self.principal(&captures, ""))]);
            }
        };
        let (_, regex) = self.regexes.first().ok_or(NO_MATCH)?;
        let principal = |name: &String| self.principal(&captures(regex, name)?, name);
        Ok(names.iter().map(principal).collect())
    }

    /// The captures of a subject. `None` if an attribute of the pattern matches no value of the
    /// subject.
    fn match_subject(&self, subject: &[(&'static str, String)]) -> Result<Option<Captures>, AuthError> {
        let mut all = Captures::new();
        for (attribute, regex) in &self.regexes {
            let values = subject.iter().filter(|(name, _)| name == attribute);
            let mut matches = values.filter_map(|(_, value)| captures(regex, value));
            let Some(first) = matches.next() else {
                return Ok(None);
            };
            if matches.next().is_some() {
                return Err(AuthError::CertificateNameRejected(
                    "several attributes of its subject match one part of a pattern, so the caller's name is ambiguous",
                ));
            }
            all.extend(first);
        }
        Ok(Some(all))
    }

    fn principal(&self, captures: &Captures, whole: &str) -> Option<Principal> {
        let name = match &self.name {
            None => whole.to_owned(),
            Some(name) => name.render(captures)?,
        };
        let groups: Option<Vec<_>> = self.groups.iter().map(|group| group.render(captures)).collect();
        let principal = Principal::new(name, groups?, Proof::Certificate)?;
        Some(principal.with_tags(captures.clone()))
    }
}

/// The principal of a certificate by the first pattern that matches one of its names.
///
/// The names of one source decide together: if they give different principals, the certificate is
/// rejected.
///
/// # Errors
///
/// [`AuthError::CertificateNameRejected`] if no pattern matches, or if the caller's name is
/// ambiguous.
pub(super) fn principal(
    patterns: &[CertificatePattern],
    names: &CertificateNames,
) -> Result<Principal, AuthError> {
    for (index, pattern) in patterns.iter().enumerate() {
        let mut found = pattern.principals(names)?;
        if found.iter().all(Option::is_none) {
            continue;
        }
        // The other names of this source, each by the first pattern that matches it.
        for next in patterns[index + 1..]
            .iter()
            .filter(|next| next.source == pattern.source)
        {
            if found.iter().all(Option::is_some) {
                break;
            }
            for (found, other) in found.iter_mut().zip(next.principals(names)?) {
                *found = found.take().or(other);
            }
        }
        let mut found = found.into_iter().flatten();
        let first = found.next().ok_or(NO_MATCH)?;
        return match found.all(|other| other == first) {
            true => Ok(first),
            false => Err(AuthError::CertificateNameRejected(
                "its names give different principals, so the caller's name is ambiguous",
            )),
        };
    }
    Err(NO_MATCH)
}

const NO_MATCH: AuthError = AuthError::CertificateNameRejected(
    "no pattern of this service matches its names (setting auth.certificate)",
);

/// What is wrong with two captures between which nothing shows where the first one ends.
fn ambiguity(template: &Template, alphabet: Alphabet) -> Option<String> {
    let (first, second) = template.ambiguous(|c| alphabet.contains(c))?;
    Some(format!(
        "{template} is ambiguous: {{{first}}} and {{{second}}} need a character between them that a capture cannot \
         contain, such as / or :"
    ))
}

/// All faults of the templates of name and groups; without those that depend on the source or the pattern
/// if that is `None`, because it is invalid.
pub fn template_faults(
    source: Option<NameSource>,
    pattern: Option<&str>,
    name: Option<&Template>,
    groups: &[Template],
) -> Vec<PatternFault> {
    // What a label cannot separate, no other alphabet separates.
    let alphabet = source.map_or(Alphabet::Label, NameSource::alphabet);
    let pattern: Option<Template> = pattern.and_then(|pattern| pattern.parse().ok());
    let captures: Option<BTreeSet<_>> = pattern.as_ref().map(|pattern| pattern.captures().collect());
    let check = |template: &Template| {
        let captures = captures.as_ref();
        let is_unknown = |capture: &&str| captures.is_some_and(|known| !known.contains(capture));
        let unknown = template.captures().filter(is_unknown).map(|capture| {
            format!("{template} has the capture {{{capture}}}, which the pattern does not have")
        });
        unknown.chain(ambiguity(template, alphabet)).collect::<Vec<_>>()
    };
    let without_namespace = |group: &Template| {
        (!has_namespace(group)).then(|| {
            format!(
                "{group} would let a certificate choose groups that are meant for others; begin with text that ends \
                 with / or :, such as site/{{site}}, which no other group begins with"
            )
        })
    };
    let of_name = name.into_iter().flat_map(check).map(PatternFault::Name);
    let of_groups = groups
        .iter()
        .flat_map(|group| check(group).into_iter().chain(without_namespace(group)))
        .map(PatternFault::Groups);
    of_name.chain(of_groups).collect()
}

/// Whether all groups that a template gives begin with a text that ends where no capture can go on. With
/// `tape-{site}`, a certificate of the site `admins` would be in a group `tape-admins` that exists.
fn has_namespace(group: &Template) -> bool {
    match group.parts() {
        [Part::Literal(_)] => true,
        [Part::Literal(text), ..] => !text.ends_with(|c| Alphabet::Words.contains(c)),
        _ => false,
    }
}

/// A regex of the whole name, or one of each attribute of a subject. `None` if one is too long.
fn regexes(source: NameSource, pieces: &[Piece]) -> Option<Vec<(&'static str, Regex)>> {
    let anchored = |regex: &str| Regex::new(&format!(r"\A{regex}\z")).ok();
    match source {
        NameSource::Subject => pieces
            .iter()
            .map(|piece| Some((piece.attribute, anchored(&piece.regex())?)))
            .collect(),
        _ => {
            let sides: Vec<_> = pieces.iter().map(Piece::regex).collect();
            Some(vec![("", anchored(&sides.join("@"))?)])
        }
    }
}

/// The captures of a text that matches as a whole. Path segments that name a directory or its
/// parent do not match.
fn captures(regex: &Regex, text: &str) -> Option<Captures> {
    let found = regex.captures(text)?;
    let captures: Captures = regex
        .capture_names()
        .flatten()
        .filter_map(|name| Some((name.to_owned(), found.name(name)?.as_str().to_owned())))
        .collect();
    let is_dots = |text: &String| text == "." || text == "..";
    (!captures.values().any(is_dots)).then_some(captures)
}

impl PartialEq for CertificatePattern {
    fn eq(&self, other: &Self) -> bool {
        (self.source, &self.pattern, &self.name, &self.groups)
            == (other.source, &other.pattern, &other.name, &other.groups)
    }
}

impl Eq for CertificatePattern {}

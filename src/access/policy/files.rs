//! Parses and validates the files of policies.

use std::{collections::HashMap, path::Path, str::FromStr};

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, ValidationError, ValidationMode, Validator};
use miette::Diagnostic;

use super::schema::PARSED_SCHEMA;
use crate::access::reload::FileContents;

/// The maximum number of policies in a folder.
const MAX_POLICIES: usize = 10_000;

/// Parses the policies of a folder's files and validates them against the schema.
///
/// The id of a policy is its annotation `@id("…")`, or the name of its file and its number in it.
///
/// # Errors
///
/// All faults: syntax errors, duplicate ids, and what validation finds, such as an attribute that
/// the schema does not have.
pub(super) fn parse(contents: &FileContents) -> Result<Vec<Policy>, Vec<String>> {
    let (mut policies, mut faults, mut paths) = (Vec::new(), Vec::new(), HashMap::new());
    for (path, bytes) in contents.iter() {
        let file = File {
            path,
            text: &String::from_utf8_lossy(bytes),
        };
        if str::from_utf8(bytes).is_err() {
            faults.push(format!("{} is not UTF-8", path.display()));
            continue;
        }
        match file.policies() {
            Ok(found) => {
                for policy in found {
                    let id = policy.id().to_string();
                    if let Some(first) = paths.insert(id.clone(), path) {
                        faults.push(format!(
                            "{}: {} has a policy with the id {id:?} too; ids must be unique",
                            path.display(),
                            first.display()
                        ));
                    } else {
                        policies.push(policy);
                    }
                }
            }
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() && policies.is_empty() {
        faults.push("there are no policies (*.cedar), so every call would be denied".to_owned());
    }
    if policies.len() > MAX_POLICIES {
        faults.push(format!(
            "there are {} policies; at most {MAX_POLICIES} are allowed",
            policies.len()
        ));
    }
    match faults.is_empty() {
        true => Ok(policies),
        false => Err(faults),
    }
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn policies(&self) -> Result<Vec<Policy>, Vec<String>> {
        let set = PolicySet::from_str(self.text)
            .map_err(|errors| errors.iter().map(|error| self.fault(error)).collect::<Vec<_>>())?;
        let mut faults = Vec::new();
        let path = self.path.display();
        if set.templates().next().is_some() {
            faults.push(format!(
                "{path}: has a policy template (?principal, ?resource); only static policies are supported"
            ));
        }
        let validated = Validator::new(PARSED_SCHEMA.clone()).validate(&set, ValidationMode::Strict);
        faults.extend(validated.validation_errors().map(|error| match error {
            ValidationError::UnrecognizedActionId(unknown) => {
                self.described(unknown, similar_action(&unknown.to_string()))
            }
            error => self.fault(error),
        }));
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let mut numbered: Vec<_> = set
            .policies()
            .map(|policy| {
                // Cedar numbers policies in the order of the text: policy0, policy1, …
                let number: usize = policy
                    .id()
                    .to_string()
                    .trim_start_matches("policy")
                    .parse()
                    .unwrap_or_default();
                let id = match policy.annotation("id").filter(|id| !id.is_empty()) {
                    Some(id) => id.to_owned(),
                    None => format!("{stem}#{}", number + 1),
                };
                (number, policy.new_id(PolicyId::new(id)))
            })
            .collect();
        numbered.sort_by_key(|(number, _)| *number);
        match faults.is_empty() {
            true => Ok(numbered.into_iter().map(|(_, policy)| policy).collect()),
            false => Err(faults),
        }
    }

    /// Describes an error of Cedar with its position and Cedar's advice.
    fn fault(&self, error: &dyn Diagnostic) -> String {
        self.described(error, error.help().map(|help| help.to_string()))
    }

    /// Describes an error of Cedar with its position and this advice.
    fn described(&self, error: &dyn Diagnostic, advice: Option<String>) -> String {
        let offset = error
            .labels()
            .into_iter()
            .flatten()
            .next()
            .map(|label| label.offset());
        let place = offset.map_or_else(String::new, |offset| {
            let before = &self.text[..self.text.floor_char_boundary(offset)];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!(":{line}:{column}")
        });
        let advice = advice.map(|advice| format!(" ({advice})")).unwrap_or_default();
        format!("{}{place}: {error}{advice}", self.path.display())
    }
}

/// The advice for an unknown action that an error quotes. Cedar's own counts edits alone, and takes
/// `ReadTape` for more similar to `CreateTape` than `CreateTapes`.
fn similar_action(error: &str) -> Option<String> {
    let unknown = error.rsplit('"').nth(1)?;
    let likeness = |known: &&EntityUid| strsim::jaro_winkler(unknown, known.id().unescaped());
    let similar = PARSED_SCHEMA
        .actions()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&similar) > 0.8).then(|| format!("did you mean `{similar}`?"))
}

//! Reading a folder of policies.

use std::{collections::HashMap, path::Path, str::FromStr};

use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};
use miette::Diagnostic;

use super::{CHECKED_SCHEMA, engine::Engine};
use crate::access::reload::Contents;

/// The most policies of a folder.
const MAX_POLICIES: usize = 10_000;

impl Engine {
    /// The policies of a folder's files, checked against the schema.
    ///
    /// Each is named by its annotation `@id("…")`, or by its file and its place in it.
    ///
    /// # Errors
    ///
    /// All that is wrong: what cannot be read, two policies of one name, and what the schema
    /// shows to be a mistake, such as an attribute that does not exist.
    pub fn read(contents: &Contents) -> Result<Self, Vec<String>> {
        let (mut policies, mut faults, mut owners) = (Vec::new(), Vec::new(), HashMap::new());
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
                        let name = policy.id().to_string();
                        if let Some(first) = owners.insert(name.clone(), path) {
                            faults.push(format!(
                                "{}: the policy {name:?} stands in {} already",
                                path.display(),
                                first.display()
                            ));
                        } else {
                            policies.push(policy);
                        }
                    }
                }
                Err(wrong) => faults.extend(wrong),
            }
        }
        if faults.is_empty() && policies.is_empty() {
            faults.push("there are no policies (*.cedar), so nobody could do anything".to_owned());
        }
        if policies.len() > MAX_POLICIES {
            faults.push(format!(
                "there are {} policies; at most {MAX_POLICIES} are read",
                policies.len()
            ));
        }
        match faults.is_empty() {
            true => Ok(Self::new(policies)),
            false => Err(faults),
        }
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
                "{path}: has a template (?principal, ?resource): nothing would ever fill it in"
            ));
        }
        let validated = Validator::new(CHECKED_SCHEMA.clone()).validate(&set, ValidationMode::Strict);
        faults.extend(validated.validation_errors().map(|error| self.fault(error)));
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let mut named: Vec<_> = set
            .policies()
            .map(|policy| {
                // Cedar counts them, in the order of the text.
                let place: usize = policy
                    .id()
                    .to_string()
                    .trim_start_matches("policy")
                    .parse()
                    .unwrap_or_default();
                let name = match policy.annotation("id").filter(|id| !id.is_empty()) {
                    Some(id) => id.to_owned(),
                    None => format!("{stem}#{}", place + 1),
                };
                (place, policy.new_id(PolicyId::new(name)))
            })
            .collect();
        named.sort_by_key(|(place, _)| *place);
        match faults.is_empty() {
            true => Ok(named.into_iter().map(|(_, policy)| policy).collect()),
            false => Err(faults),
        }
    }

    /// A fault, with where it is and what Cedar advises.
    fn fault(&self, error: &dyn Diagnostic) -> String {
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
        let advice = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}{place}: {error}{advice}", self.path.display())
    }
}

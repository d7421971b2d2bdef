//! Reads AWS's shared credentials file. No message repeats a value of it.

use std::collections::{BTreeMap, BTreeSet};

use ini_core::{Item, Parser};

use crate::settings::{
    Credentials,
    form::{AccessKeyId, AccountId, SecretKey, SessionToken, Text},
};

const KEY_ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const TOKEN: &str = "aws_session_token";
const ACCOUNT: &str = "aws_account_id";

/// The credentials of every profile with its name, or every problem of the file.
pub(super) fn read(text: &str) -> Result<Vec<(String, Credentials)>, Vec<String>> {
    let mut reading = Reading::default();
    let mut parser = Parser::new(text).auto_trim(true);
    loop {
        let line = parser.line() + 1;
        match parser.next() {
            None => break,
            Some(Item::Section(name)) => reading.begin(name, line),
            Some(Item::SectionEnd) => reading.end(),
            Some(Item::Error(_)) => reading.fault(line, "begins with [ and does not end with ]"),
            Some(Item::Property(name, _)) if name.starts_with(['#', ';']) => {}
            Some(Item::Property(name, Some(value))) => reading.property(name, value, line),
            Some(Item::Property(_, None)) => reading.fault(line, "is not of the form name = value"),
            Some(Item::Comment(_) | Item::Blank) => {}
        }
    }
    if reading.names.is_empty() && reading.wrong.is_empty() {
        reading
            .wrong
            .push("has no profile; one begins with [NAME]".to_owned());
    }
    if reading.wrong.is_empty() {
        Ok(reading.profiles)
    } else {
        Err(reading.wrong)
    }
}

#[derive(Default)]
struct Reading<'a> {
    profiles: Vec<(String, Credentials)>,
    wrong: Vec<String>,
    names: BTreeSet<&'a str>,
    profile: Option<Profile<'a>>,
}

/// A profile that is being read: its settings with their lines.
struct Profile<'a> {
    name: &'a str,
    line: u32,
    settings: BTreeMap<String, (&'a str, u32)>,
}

impl<'a> Reading<'a> {
    fn fault(&mut self, line: u32, message: &str) {
        self.wrong.push(format!("line {line}: {message}"));
    }

    fn begin(&mut self, name: &'a str, line: u32) {
        if name.is_empty() || name.contains(char::is_whitespace) {
            let message = "the name of a profile has no spaces, and no word \"profile\" before it";
            self.fault(line, message);
        } else if !self.names.insert(name) {
            self.fault(line, &format!("profile {name} appears twice"));
        }
        self.profile = Some(Profile {
            name,
            line,
            settings: BTreeMap::new(),
        });
    }

    fn property(&mut self, name: &str, value: &'a str, line: u32) {
        let name = name.to_ascii_lowercase();
        let Some(profile) = &mut self.profile else {
            return self.fault(line, "is before the first profile, [NAME]");
        };
        // Other settings of a profile, such as its region, are ignored.
        let known = [KEY_ID, SECRET, TOKEN, ACCOUNT].contains(&name.as_str());
        let value = (without_comment(value), line);
        if known && profile.settings.insert(name.clone(), value).is_some() {
            let message = format!("profile {} has {name} twice", profile.name);
            self.fault(line, &message);
        }
    }

    fn end(&mut self) {
        let Some(profile) = self.profile.take() else {
            return;
        };
        let id = self.value::<AccessKeyId>(&profile, KEY_ID);
        let secret = self.value::<SecretKey>(&profile, SECRET);
        let token = self.value::<SessionToken>(&profile, TOKEN);
        let account = self.value::<AccountId>(&profile, ACCOUNT);
        for (name, value) in [(KEY_ID, id.is_none()), (SECRET, secret.is_none())] {
            if value {
                let message = format!("profile {} has no {name}", profile.name);
                self.fault(profile.line, &message);
            }
        }
        if let (
            Some(Some(access_key_id)),
            Some(Some(secret_access_key)),
            None | Some(Some(_)),
            None | Some(Some(_)),
        ) = (id, secret, &token, &account)
        {
            let credentials = Credentials {
                access_key_id,
                secret_access_key,
                session_token: token.flatten(),
                account_id: account.flatten(),
            };
            self.profiles.push((profile.name.to_owned(), credentials));
        }
    }

    /// The value of a setting: `None` if it is absent, `Some(None)` if it is wrong.
    fn value<F: Text>(&mut self, profile: &Profile<'_>, name: &str) -> Option<Option<F::Value>> {
        let (text, line) = profile.settings.get(name)?;
        let value = F::parse(text);
        if value.is_none() {
            let message = format!(
                "profile {}: {name} (not shown) is wrong; it takes {}",
                profile.name,
                F::TAKES
            );
            self.fault(*line, &message);
        }
        Some(value)
    }
}

/// A value without the comment after it. No value here contains a space.
fn without_comment(value: &str) -> &str {
    match value.split_once([' ', '\t']) {
        Some((value, rest)) if rest.trim_start().starts_with(['#', ';']) => value,
        _ => value,
    }
}
